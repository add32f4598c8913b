"""Supervision of a court and a period: its figures against the measures of ``supervise`` rules.

A measure shows a court where it stands; it never bars, opens or delays a case. What is not
known stays unknown, a share of nothing is no share, and a share of very few cases is withheld
where the rule says so. Shares are compared exactly, as fractions, and rounded only to be shown.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

from eligibility.courts.figures import SUPERVISE, Figures, Number, contradictions
from eligibility.courts.periods import Period
from eligibility.courts.register import Register
from eligibility.errors import FactsError, Text
from eligibility.rulebase.comparisons import Limit, Measure
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import Fact, Type
from eligibility.vocabulary.values import shown, to_wire

Entry = dict[str, Any]

DEFAULT_PROFILE = "national"
PLACES = 4  # decimals of a share
NOTICE = Text(
    "指标只针对法院与期间，不影响任何个案的审查结论",
    "measures are about a court and a period; they change the outcome of no case",
)


def supervise(rulebase: Rulebase, profile: str | None, figures: Figures, as_of: date) -> Entry:
    """Every measure of the rules in force, as JSON data.

    ``profile``: without one that of the court in the register, else ``national``. ``as_of``:
    the day whose law and parameters count (its choice is the caller's: the last day of the
    period, or today). Of a measure:

    - ``value``: the share to four decimals, or the number itself; null where not assessed, and
      ``reason`` says why: ``unknown`` (``missing`` names the figures), ``no_cases`` (a share
      of nothing), ``suppressed`` (under ``suppress_under`` of ``per``; the counts stand alone);
    - ``line``: null, or ``at_least`` and ``at_most``, both inclusive; ``meets``: null without
      a line or a value;
    - ``more_to_reach``: the least n such that with n more cases, each of which counts in
      ``of``, the share reaches ``at_least`` (null where no n does); for a number what it
      lacks. ``over``: by how many ``of`` exceeds ``at_most``;
    - ``by_rule``: the breakdown, a count null where unknown.

    Raises NotFound (no such profile) and FactsError (``contradictory_figures``).
    """
    found = list(contradictions(figures, rulebase))
    if found:
        raise FactsError(found)
    court = Register(rulebase.courts).find(figures.court)
    name = profile or (court.profile if court else "") or DEFAULT_PROFILE
    board = _Board(rulebase, rulebase.profile(name).id, figures, as_of)
    rules = [r for r in rulebase.rules_in_force(name, as_of) if r.kind == SUPERVISE]
    entries = [board.rule(rule) for rule in rules]
    label = court.label if court else Text(figures.court, figures.court)
    return {
        "court": {"id": court.id if court else None, "label": label.as_dict()},
        "period": _period(figures.period, as_of),
        "profile": name,
        "as_of": as_of.isoformat(),
        "rulebase": {"version": rulebase.version, "digest": rulebase.digest},
        "rules": entries,
        "missing": _missing(entries),
        "notes": [note.as_dict() for note in figures.notes],
        "notice": NOTICE.as_dict(),
    }


def _period(period: Period, as_of: date) -> Entry:
    return {
        "text": str(period),
        "kind": period.kind,
        "label": period.label.as_dict(),
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "complete": as_of >= period.last,
    }


def _missing(rules: list[Entry]) -> list[Entry]:
    """Every missing figure once, with the rules that ask for it."""
    out: dict[str, Entry] = {}
    for rule in rules:
        for fact in (fact for measure in rule["measures"] for fact in measure["missing"]):
            entry = out.setdefault(fact["fact"], {**fact, "rules": []})
            if rule["id"] not in entry["rules"]:
                entry["rules"].append(rule["id"])
    return [out[key] for key in sorted(out)]


class _Board:
    """The figures of one court and period under one profile."""

    def __init__(self, rulebase: Rulebase, profile: str, figures: Figures, as_of: date) -> None:
        self.rulebase, self.profile, self.figures, self.as_of = rulebase, profile, figures, as_of

    def rule(self, rule: Rule) -> Entry:
        entry: Entry = {
            "id": rule.id,
            "title": rule.title.as_dict(),
            "period": rule.period or None,
            "other_period": rule.period not in ("", self.figures.period.kind),
            "basis": rule.basis,
            "proposed_parts": [part.as_dict() for part in rule.proposed_parts],
            "citations": list(rule.citations),
            "consequence": rule.consequence.as_dict(),
            "measures": [self.measure(measure) for measure in rule.measures],
        }
        if rule.basis == "proposed":
            entry["ground"] = rule.ground.as_dict()
        return entry

    def measure(self, measure: Measure) -> Entry:
        of, per = self.figures.values.get(measure.of), self.figures.values.get(measure.per)
        fewest = self.limit(measure.suppress_under)
        missing = [f for f in (measure.of, measure.per) if f and f not in self.figures.values]
        reason = None
        if measure.per and per == 0:
            reason = "no_cases"
        elif per is not None and fewest is not None and per < fewest:
            reason = "suppressed"
        elif missing:
            reason = "unknown"
        return {
            "key": measure.key,
            "label": measure.label.as_dict(),
            "of": self.figure(measure.of),
            "per": self.figure(measure.per) if measure.per else None,
            **self.standing(measure, None if reason else of, per),
            "line": self.line(measure),
            "reason": reason,
            "missing": [self.named(key) for key in missing],
            "suppressed": reason == "suppressed",
            "suppress_under": self.bound(measure.suppress_under),
            "by_rule": self.breakdown(measure, fewest is None or bool(per and per >= fewest)),
        }

    def standing(self, measure: Measure, of: Number | None, per: Number | None) -> Entry:
        """Value and distance to the line, ``of`` being None where there is nothing to assess."""
        least, most = self.limit(measure.at_least), self.limit(measure.at_most)
        if of is None:
            return {"value": None, "meets": None, "more_to_reach": None, "over": None}
        part = Fraction(of)
        more: int | float | None
        over: int | float | None
        if measure.per:
            whole = Fraction(per or 0)
            exact = part / whole
            value: int | float = _rounded(exact, least, most)
            more = None if least is None else more_to_reach(part, whole, least)
            over = None if most is None else too_many(part, whole, most)
        else:
            fact = self.rulebase.vocabulary.facts[measure.of]
            exact, value = part, to_wire(fact, of)
            more = None if least is None else _distance(fact, least - part)
            over = None if most is None else _distance(fact, part - most)
        held = [exact >= least] if least is not None else []
        held += [exact <= most] if most is not None else []
        return {
            "value": value,
            "meets": all(held) if held else None,
            "more_to_reach": more,
            "over": over,
        }

    def figure(self, key: str) -> Entry:
        value, source = self.figures.values.get(key), self.figures.sources.get(key)
        fact = self.rulebase.vocabulary.facts[key]
        return {
            **self.named(key),
            "value": to_wire(fact, value),
            "shown": shown(fact, value).as_dict(),
            "source": source.as_dict() if source else None,
        }

    def named(self, key: str) -> Entry:
        return {"fact": key, "label": self.rulebase.vocabulary.facts[key].label.as_dict()}

    def breakdown(self, measure: Measure, allowed: bool) -> list[Entry]:
        if not allowed:
            return []
        counts = self.figures.by_rule or {}
        return [
            {
                "rule": rule,
                "title": self.rulebase.rules[rule].title.as_dict(),
                "count": counts.get(rule),
            }
            for rule in measure.by_rule
        ]

    # --- lines ---------------------------------------------------------------------------------

    def line(self, measure: Measure) -> Entry | None:
        least, most = self.bound(measure.at_least), self.bound(measure.at_most)
        return {"at_least": least, "at_most": most} if least or most else None

    def bound(self, limit: Limit | None) -> Entry | None:
        """A limit with its parameter: the line may be a proposal where the rule is not."""
        if limit is None:
            return None
        if not isinstance(limit, Param):
            return {"value": limit, "parameter": None}
        parameter = self.rulebase.parameters[limit.name]
        value = self.rulebase.parameter_value(limit.name, self.profile, self.as_of)
        if value is None:
            return None
        return {
            "value": _plain(value.value),
            "parameter": {
                "key": parameter.key,
                "label": parameter.label.as_dict(),
                "basis": value.basis,
                "citations": list(value.citations),
            },
        }

    def limit(self, limit: Limit | None) -> Fraction | None:
        """The exact value; checks see to it that a parameter in use has one."""
        value: Any = limit
        if isinstance(limit, Param):
            value = self.rulebase.parameter(limit.name, self.profile, self.as_of)
        return None if value is None else Fraction(value)


def more_to_reach(of: Fraction, per: Fraction, line: Fraction) -> int | None:
    """The least n >= 0 with (of + n) / (per + n) >= line; None where there is none.

    INVARIANT: n more reach the line, n - 1 more do not.
    """
    if of >= line * per:
        return 0
    if line >= 1:
        return None
    return ceil((line * per - of) / (1 - line))


def too_many(of: Fraction, per: Fraction, line: Fraction) -> int | None:
    """The least n >= 0 with (of - n) / per <= line; None where there is none."""
    least = max(0, ceil(of - line * per))
    return least if least <= of else None


def _rounded(share: Fraction, least: Fraction | None, most: Fraction | None) -> float:
    """To four decimals, half up, but never across a line, nor onto 0 or 1.

    INVARIANT: the number shown says the same as ``meets``.
    """
    scaled = share * 10**PLACES
    near = floor(scaled + Fraction(1, 2))
    other = ceil(scaled) if near <= scaled else floor(scaled)
    sides = [_sides(Fraction(n, 10**PLACES), least, most) for n in (near, other)]
    shown = other if _sides(share, least, most) == sides[1] != sides[0] else near
    return float(Decimal(shown).scaleb(-PLACES))


def _sides(share: Fraction, least: Fraction | None, most: Fraction | None) -> tuple[bool, ...]:
    """On which side of each line a share lies."""
    return (share > 0, share < 1, least is None or share >= least, most is None or share <= most)


def _distance(fact: Fact, lacking: Fraction) -> int | float:
    """How far a number is from its line, in its unit; whole for a count."""
    least = max(Fraction(0), lacking)
    whole = fact.type is Type.INT or least.denominator == 1
    return ceil(least) if whole else float(least)


def _plain(value: Number) -> int | float:
    return int(value) if value == int(value) else float(value)
