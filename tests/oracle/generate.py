"""Random rule bases, written in the rule language, and random cases for any rule base.

Both are functions of a seeded :class:`random.Random`: a failure is repeated by its seed.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import yaml

from eligibility.rulebase.conditions import Leaf, Param, leaves
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Fact, Type

FIRST_DAY = date(1949, 10, 1)
DAYS = (date(2024, 2, 29), date(2024, 8, 15), date(2025, 3, 31), date(2026, 1, 1))
CHANNELS = ("party_application", "court_report", "ex_officio", "batch_program")
Document = dict[str, Any]


def both(word: str, en: str) -> dict[str, str]:
    return {"zh": word, "en": en}


# --- a random rule base ------------------------------------------------------------------------

LAYERS: dict[str, Document] = {
    "authority": {"label": both("决定权", "authority"), "defeasible": False},
    "stay": {"label": both("停止", "stay"), "defeasible": False},
    "mandatory": {"label": both("应当", "mandatory")},
    "discretion": {"label": both("裁量", "discretion")},
    "report_bar": {"label": both("报请", "report bar"), "channels": ["court_report"]},
}
OUTCOMES = (
    ("wrong_court", {"kind": "bar", "effect": "wrong_court"}, 1),
    ("ended", {"kind": "bar", "effect": "end"}, 0),
    ("stayed", {"kind": "bar", "effect": "stay"}, 2),
    ("to_cure", {"kind": "bar", "effect": "return", "layer": "stay"}, 3),
    ("must", {"kind": "qualify", "layer": "mandatory"}, 6),
    ("to_cure", {"kind": "bar", "effect": "return", "layer": "report_bar"}, 3),
    ("eligible", {"kind": "qualify", "grants": "inter_court"}, 5),
    ("internal", {"kind": "qualify", "grants": "internal"}, 4),
    ("not_eligible", True, 1),
)
QUANTIFIERS = {
    "any property": "任一财产",
    "every property": "每一财产",
    "any main property": "任一主要财产",
    "any debtor": "任一被执行人",
    "every debtor": "每一被执行人",
}
ROLLUPS = {"property": ("any", "every", "main"), "debtor": ("any", "every")}
ZH = {
    "is": "为", "is not": "不为", "is none": "为 无", "is not none": "不为 无",
    "is empty": "为 空", "is not empty": "不为 空", "is exactly": "恰为", "in": "属于",
    "not in": "不属于", ">=": "大于等于", ">": "大于", "<=": "小于等于", "<": "小于",
    "has any of": "含有任一", "has all of": "含有全部", "has at least": "至少含有",
    "true": "是", "false": "否",
}  # fmt: skip


class _Plain(yaml.CSafeDumper):
    """Writes what occurs twice twice: rule files have no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass
class BaseWriter:
    """Writes one rule base.

    ``constraints`` adds combinations that cannot be; without ``closed`` no leaf is closed.
    """

    random: Random
    rules: int = 10
    depth: int = 2
    constraints: int = 0
    closed: bool = True
    facts: dict[str, Document] = field(default_factory=dict)
    parameters: dict[str, Document] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        self.make_facts()
        self.make_parameters()
        document: Document = {
            "version": "random",
            "meta": self.meta(),
            "records": self.records(),
            "facts": self.facts,
            "parameters": self.parameters,
            "sources": {"Z1": {"title": "来源", "kind": "statute", "quotes": ["原文"]}},
        }
        document["definitions"] = [self.definition(i) for i in range(self.random.randint(0, 3))]
        rules = self.make_rules()
        proposed = [r["id"] for r in rules if r["basis"] == "proposed"]
        above = [r["id"] for r in rules if r["id"] in proposed and r["profile"] == "top"]
        document["rules"] = rules
        document["constraints"] = [self.constraint(i) for i in range(self.constraints)]
        document["profiles"] = {
            "top": {"label": "上层", "adopts": [i for i in above if self.random.random() < 0.5]},
            "low": {"label": "下层", "extends": "top"},
        }
        if self.random.random() < 0.5:
            document["profiles"]["low"]["adopts"] = proposed
        return str(yaml.dump(document, Dumper=_Plain, allow_unicode=True, sort_keys=False))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # --- the words -----------------------------------------------------------------------------

    def meta(self) -> Document:
        outcomes = [
            {"outcome": name, "when": when, "rank": rank, "label": both(f"结论{i}", name)}
            for i, (name, when, rank) in enumerate(OUTCOMES)
        ]
        return {
            "layers": LAYERS,
            "channels": {name: both(f"方式{i}", name) for i, name in enumerate(CHANNELS)},
            "outcomes": outcomes,
            "bodies": {"superior": both("上级", "superior")},
        }

    def records(self) -> Document:
        return {
            "property": {"label": both("财产", "property"), "list": "properties"},
            "debtor": {"label": both("被执行人", "debtor"), "list": "debtors"},
        }

    def make_facts(self) -> None:
        channels = {name: both(f"方式{i}", name) for i, name in enumerate(CHANNELS)}
        self.fact("request_channel", CASE, {"type": "enum", "values": channels})
        self.fact("is_main", "property", {"type": "bool", "sole": True})
        kinds = ["bool", "bool", "int", "money", "decimal", "enum", "set", "date", "event"]
        for scope, count in ((CASE, 9), ("property", 5), ("debtor", 3)):
            chosen = kinds if count == len(kinds) else self.random.sample(kinds, count)
            for number, kind in enumerate(chosen):
                self.fact(f"{scope}_{kind}_{number}", scope, self.kind(kind, scope))
        event = self.random.choice([k for k, f in self.facts.items() if f["type"] == "date"])
        self.fact("age", self.facts[event]["scope"], {
            "type": "int", "source": "derived", "derive": {"days_since": event},
        })  # fmt: skip

    def fact(self, key: str, scope: str, what: Document) -> None:
        self.labels[key] = f"事实{len(self.facts)}"
        fact = {"label": both(self.labels[key], key), "scope": scope, **what}
        if scope != CASE:
            fact["rollup"] = self.random.choice(ROLLUPS[scope])
        self.facts[key] = fact

    def kind(self, kind: str, scope: str) -> Document:
        if kind in ("enum", "set"):
            count = self.random.randint(2, 5)
            values = {f"v{i}": both(f"值{i}", f"v{i}") for i in range(count)}
            return {"type": kind, "values": values}
        if kind == "event":
            return {"type": "date", "event": True}
        if kind in ("int", "money", "decimal"):
            return {"type": kind, "minimum": -50, "maximum": 5000}
        return {"type": kind}

    def make_parameters(self) -> None:
        period = {"from": date(2023, 1, 1), "to": DAYS[2]}
        for number in range(4):
            kind = "decimal" if number == 3 else "int"
            values = [
                {"value": self.random.randint(1, 400), "basis": "statute"},
                {"value": self.random.randint(1, 400), "basis": "statute", "profile": "low"},
                {"value": self.random.randint(1, 400), "basis": "statute", "from": DAYS[1]},
                {"value": self.random.randint(1, 40), "basis": "statute", **period},
            ]
            kept = [values[0], *(v for v in values[1:] if self.chance(0.4))]
            self.parameters[f"p{number}"] = {
                "label": f"参数{number}", "type": kind, "values": kept,
            }  # fmt: skip

    # --- sentences -----------------------------------------------------------------------------

    def sentence(self, definitions: bool = True) -> str:
        """One leaf, in Chinese or English."""
        zh = self.chance(0.5)
        if definitions and self.definitions and self.chance(0.15):
            key = self.random.choice(list(self.definitions))
            what = f"{self.random.choice(['is', 'is not'])} {self.random.choice(['true', 'false'])}"
            return self.spoken(key, what, zh)
        key = self.random.choice(list(self.facts))
        return self.spoken(key, self.comparison(self.facts[key], zh), zh)

    def spoken(self, key: str, what: str, zh: bool) -> str:
        if not zh:
            return f"{key} {what}"
        for en in sorted(ZH, key=len, reverse=True):
            if what == en or what.startswith(en + " "):
                rest = what[len(en) :].strip()
                what = f"{ZH[en]} {ZH.get(rest, rest)}".strip()
                break
        return f"{self.labels[key]} {what}"

    def comparison(self, fact: Document, zh: bool) -> str:
        pick = self.random.choice
        match fact["type"]:
            case "bool":
                return f"{pick(['is', 'is not'])} {pick(['true', 'false'])}"
            case "enum":
                return self.choice_of(list(fact["values"]), zh, fact)
            case "set":
                return self.subset_of(list(fact["values"]))
            case "date":
                return self.age(bool(fact.get("event")), zh)
            case kind:
                operator = pick(["<", "<=", ">", ">=", *(["is", "is not"] * (kind == "int"))])
                return f"{operator} {self.number(kind)}"

    def choice_of(self, values: list[str], zh: bool, fact: Document) -> str:
        some = self.random.sample(values, self.random.randint(1, max(1, len(values) - 1)))
        if self.chance(0.5):
            value = fact["values"][some[0]]["zh"] if zh else some[0]
            return f"{self.random.choice(['is', 'is not'])} {value}"
        return f"{self.random.choice(['in', 'not in'])} [{', '.join(some)}]"

    def subset_of(self, values: list[str]) -> str:
        if self.chance(0.2):
            return self.random.choice(["is empty", "is not empty"])
        if self.chance(0.2):
            return f"has at least {self.random.randint(1, len(values))}"
        some = self.random.sample(values, self.random.randint(1, len(values)))
        operator = self.random.choice(["has any of", "has all of", "is exactly"])
        return f"{operator} [{', '.join(some)}]"

    def age(self, event: bool, zh: bool) -> str:
        if event and self.chance(0.3):
            return self.random.choice(["is none", "is not none"])
        days = self.chance(0.5)
        counts = [0, 1, 30, 183, 365, 400] if days else [0, 1, 5, 6, 7, 12, 13, 24, 30]
        count = self.random.choice(counts)
        number = f"${self.random.choice(['p0', 'p1', 'p2'])}" if self.chance(0.3) else str(count)
        before, after = self.random.choice([("more than", " ago"), ("within", "")])
        if zh:
            word = {"more than": "距今超过", "within": "距今不超过"}[before]
            return f"{word} {number} {'日' if days else '个月'}"
        return f"{before} {number} {'days' if days else 'months'}{after}"

    def number(self, kind: str) -> str:
        if self.chance(0.3):
            return "$p3" if kind == "decimal" else f"${self.random.choice(['p0', 'p1', 'p2'])}"
        whole = self.random.choice([-49, -1, 0, 1, 2, 30, 100, 365, 4998])
        return str(whole if kind == "int" or self.chance(0.5) else f"{abs(whole)}.25")

    # --- trees ---------------------------------------------------------------------------------

    def condition(self, scope: str, depth: int, definitions: bool = True) -> Any:
        if depth == 0 or self.chance(0.3):
            return self.sentence(definitions)
        word = self.random.choice(["all", "any", "not", "all", "any"])
        if scope == CASE and definitions and self.chance(0.15):
            word = self.random.choice(list(QUANTIFIERS))
            inner = word.split()[-1]
            child = self.condition(inner, depth - 1, definitions)
            return {QUANTIFIERS[word] if self.chance(0.5) else word: child}
        zh = {"all": "全部", "any": "任一", "not": "非"}[word] if self.chance(0.5) else word
        if word == "not":
            return {zh: self.condition(scope, depth - 1, definitions)}
        count = self.random.randint(1, 4)
        return {zh: [self.condition(scope, depth - 1, definitions) for _ in range(count)]}

    def definition(self, number: int) -> Document:
        scope = self.random.choice([CASE, "property", "debtor"])
        key = f"finding_{number}"
        made = {
            "key": key,
            "title": both(f"认定{number}", key),
            "scope": scope,
            "when": self.condition(scope, self.depth, definitions=False),
            "basis": "statute",
            "citations": ["Z1"],
        }
        self.definitions[key] = scope
        self.labels[key] = f"认定{number}"
        return made

    def constraint(self, number: int) -> Document:
        scope = self.random.choice([CASE, "property", "debtor"])
        never = {"all": [self.sentence(False) for _ in range(self.random.randint(2, 3))]}
        return {"id": f"C{number}", "scope": scope, "never": never, "message": "不可能"}

    # --- rules ---------------------------------------------------------------------------------

    def make_rules(self) -> list[Document]:
        made: list[Document] = []
        for number in range(self.rules):
            made.append(self.rule(number, made))
        self.random.shuffle(made)
        return made

    def rule(self, number: int, earlier: list[Document]) -> Document:
        layer = self.random.choice(list(LAYERS))
        over = self.random.choice(list(QUANTIFIERS)) if self.chance(0.35) else ""
        scope = over.split()[-1] if over else CASE
        rule: Document = {
            "id": f"R{number}",
            "title": f"规则{number}",
            "profile": self.random.choice(["top", "low"]),
            **self.kind_of_rule(layer),
            "when": self.condition(scope, self.depth),
        }
        if over:
            rule["over"] = QUANTIFIERS[over] if self.chance(0.5) else over
        if self.closed and self.chance(0.3):
            rule["unless"] = self.condition(scope, 1)
        if self.closed and self.chance(0.6):
            rule["on_unknown"] = self.closings(rule["when"])
        if self.chance(0.15):
            rule["effective"] = {"from": self.random.choice(DAYS)}
        defeats = self.defeats(layer, earlier)
        return {**rule, **({"defeats": defeats} if defeats else {}), **self.basis()}

    def basis(self) -> Document:
        if self.chance(0.2):
            return {"basis": "proposed", "ground": "建议"}
        return {"basis": "statute", "citations": ["Z1"]}

    def kind_of_rule(self, layer: str) -> Document:
        rule: Document = {"layer": layer}
        if layer in ("authority", "stay", "report_bar"):
            effects = {"authority": ["wrong_court"], "report_bar": ["return"]}
            effect = self.random.choice(effects.get(layer, ["end", "stay", "return"]))
            rule |= {"kind": "bar", "effect": effect, "cure": "补正"}
            if layer == "report_bar":
                rule |= {"channel": ["court_report"], "override_by": ["superior"]}
        else:
            rule |= {"kind": "qualify", "grants": self.random.choice(["inter_court", "internal"])}
            if self.chance(0.3):
                rule["channel"] = self.random.sample(CHANNELS, self.random.randint(1, 4))
            if self.chance(0.1):
                rule["advisory"] = True
        return rule

    def closings(self, tree: Any) -> dict[str, str]:
        found = sorted({_subject(s, self.labels) for s in _sentences(tree)})
        chosen = self.random.sample(found, self.random.randint(1, len(found)))
        return {key: self.random.choice(["assume_true", "assume_false"]) for key in chosen}

    def defeats(self, layer: str, earlier: list[Document]) -> list[Any]:
        """Only rules of later layers, or of the same made before: never a circle."""
        order = list(LAYERS)
        out: list[Any] = []
        for other in earlier:
            later = order.index(other["layer"]) >= order.index(layer)
            if later and LAYERS[other["layer"]].get("defeasible", True) and self.chance(0.15):
                out.append(other["id"])
        if layer == "mandatory" and self.chance(0.4):
            out.append({"layer": "report_bar"})
        return out


def _sentences(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    children = tree if isinstance(tree, list) else list(tree.values())
    return [sentence for child in children for sentence in _sentences(child)]


def _subject(sentence: str, labels: dict[str, str]) -> str:
    word = sentence.split()[0]
    return next((key for key, label in labels.items() if word in (key, label)), word)


def random_base(
    seed: int, rules: int = 10, depth: int = 2, constraints: int = 0, closed: bool = True
) -> Rulebase:
    """A rule base that loads, by its seed."""
    text = BaseWriter(Random(seed), rules, depth, constraints, closed).text()
    return load({"random.yaml": text})


# In a case that goes on nothing of these stands in the way.
USUAL: Document = {
    "procedure_status": "enforcing",
    "title_content_clear": True,
    "settlement_state": "none",
    "bankruptcy_state": "none",
}


# --- random cases ------------------------------------------------------------------------------


@dataclass
class CaseWriter:
    """Writes payloads for a rule base, near the thresholds of its rules.

    ``usual``: the share of facts that are as in :data:`USUAL`, so that not every case ends
    at the first obstacle.
    """

    rulebase: Rulebase
    random: Random
    as_of: date
    usual: float = 0.7

    def __post_init__(self) -> None:
        self.vocabulary = self.rulebase.vocabulary
        self.near: dict[str, list[Leaf]] = {}
        for rule in self.rulebase.rules.values():
            for tree in (rule.when, rule.unless):
                for leaf in leaves(tree) if tree else ():
                    self.near.setdefault(leaf.fact, []).append(leaf)
        self.words = [w for c in self.rulebase.courts.values() for w in (c.id, c.label.zh)]
        self.facts = {
            scope: [
                f
                for f in self.vocabulary.facts.values()
                if f.scope == scope and f.type is not Type.RECORDS and not f.alias_of
            ]
            for scope in self.vocabulary.payload_scopes()
        }

    def payload(self, missing: float | None = None, records: int = 3) -> Document:
        """A case; of its facts the share ``missing`` (random up to 0.6) is not stated."""
        share = self.random.uniform(0, 0.6) if missing is None else missing
        case = self.stated(CASE, share)
        for scope in self.vocabulary.payload_scopes()[1:]:
            kind = self.vocabulary.records[scope]
            count = self.random.choices(range(records + 1), [1, 6, *([2] * (records - 1))])[0]
            if count or kind.may_be_empty:
                case[kind.list_key] = [self.stated(scope, share) for _ in range(count)]
        if "excluded_interval" in self.vocabulary.records and self.random.random() < 0.5:
            case["excluded_intervals"] = [self.interval() for _ in range(self.random.randint(0, 4))]
        if "override" in self.vocabulary.records and self.random.random() < 0.1:
            case["overrides"] = [self.override()]
        return case

    def stated(self, scope: str, missing: float) -> Document:
        out: Document = {}
        for fact in self.facts[scope]:
            if fact.derive is not None and self.random.random() > 0.03:
                continue
            if self.random.random() >= missing:
                out[fact.key] = self.value(fact)
        return out

    def value(self, fact: Fact) -> Any:
        """A value on the wire."""
        pick = self.random.choice
        if fact.key in USUAL and self.random.random() < self.usual:
            return USUAL[fact.key]
        if fact.many:
            return self.random.sample(self.words, min(2, len(self.words)))
        match fact.type:
            case Type.BOOL:
                return pick([True, False])
            case Type.ENUM:
                return pick(list(fact.values))
            case Type.SET:
                return [v for v in fact.values if self.random.random() < 0.3]
            case Type.DATE:
                return self.day(fact)
            case Type.TEXT:
                return pick(self.words) if self.words else "某院"
            case _:
                return self.number(fact)

    def number(self, fact: Fact) -> Any:
        low = fact.minimum if fact.minimum is not None else -(10**6)
        high = fact.maximum if fact.maximum is not None else 10**6
        points: list[int | Decimal] = [low, high, 0, 1, self.random.randint(low, high)]
        for leaf in self.near.get(fact.key, []):
            value = self.operand(leaf)
            if not isinstance(value, (int, Decimal)):
                continue
            yuan = Decimal(value) / 100 if fact.type is Type.MONEY else value
            points += [yuan, yuan + 1, yuan - 1] * 2
            if fact.type in (Type.MONEY, Type.DECIMAL):
                points += [yuan + Decimal("0.01"), yuan - Decimal("0.01")]
        if fact.type is Type.INT:
            points = [int(p) for p in points]
        chosen = self.random.choice([p for p in points if low <= p <= high])
        as_float = isinstance(chosen, Decimal) and self.random.random() < 0.5
        return float(chosen) if as_float else chosen

    def operand(self, leaf: Leaf) -> Any:
        if not isinstance(leaf.operand, Param):
            return leaf.operand
        return self.random.choice(self.rulebase.parameters[leaf.operand.name].values).value

    def day(self, fact: Fact) -> str:
        if fact.event and self.random.random() < 0.2:
            return "none"
        roll = self.random.random()
        if roll < 0.1:
            day = self.random.choice([FIRST_DAY, self.as_of, date(2024, 2, 29), date(2023, 8, 31)])
        elif roll < 0.2:
            day = _month_end(self.as_of - timedelta(days=self.random.randint(0, 900)))
        else:
            day = self.as_of - timedelta(days=self._ago(fact))
        if fact.future and self.random.random() < 0.5:
            day = self.as_of + timedelta(days=self.random.randint(0, 400))
        elif day > self.as_of:
            day = self.as_of
        return max(day, FIRST_DAY).isoformat()

    def _ago(self, fact: Fact) -> int:
        operands = [self.operand(leaf) for leaf in self.near.get(fact.key, [])]
        counts = [operand for operand in operands if isinstance(operand, int)]
        if counts and self.random.random() < 0.5:
            days = round(self.random.choice(counts) * self.random.choice([1, 30.44]))
            return max(0, days + self.random.randint(-3, 3))
        return self.random.randint(0, self.random.choice([7, 40, 200, 800]))

    def interval(self) -> Document:
        kinds = list(self.vocabulary.records["excluded_interval"].fields["kind"].values)
        start = self.as_of - timedelta(days=self.random.randint(0, 500))
        out: Document = {"kind": self.random.choice(kinds), "from": start.isoformat()}
        if self.random.random() < 0.8:
            out["to"] = (start + timedelta(days=self.random.randint(0, 150))).isoformat()
        if self.random.random() < 0.8:
            out["doc_no"] = "（2024）执1号"
        if self.random.random() < 0.2:
            out["guarantee"] = True
        if self.random.random() < 0.2:
            out["stated_end"] = (start + timedelta(days=self.random.randint(0, 99))).isoformat()
        return out

    def override(self) -> Document:
        rules: Sequence[str] = [r.id for r in self.rulebase.rules.values() if r.override_by]
        rule = self.random.choice(rules or list(self.rulebase.rules))
        bodies = self.rulebase.rules[rule].override_by or tuple(self.rulebase.bodies)
        body = self.random.choice([*bodies, next(iter(self.rulebase.bodies))])
        return {"bar": rule, "body": body, "reason": "确有必要", "doc_no": "（2024）1号"}


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
