"""The receiving courts of a decision as JSON data: who, in which order, and the arithmetic.

Advice only; people may choose otherwise and say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from eligibility.courts.ranking import Margin, Part, Place, Ranking, margins
from eligibility.courts.register import Register
from eligibility.decision.assess import Assessment
from eligibility.decision.candidates import Candidate
from eligibility.decision.explanation import Tree
from eligibility.decision.selection import Judged, Reading, Reasoned, Selection, select
from eligibility.errors import Problem, Text
from eligibility.rulebase.model import Court, Rule, Rulebase
from eligibility.vocabulary.values import shown, to_wire

Entry = dict[str, Any]
DECIMALS = 4
_PERCENT = 100
_OPPOSITE = {"true": "false", "false": "true", "unknown": "unknown"}


def receiving_courts(found: Assessment, register: Register) -> tuple[Entry, list[Problem]]:
    """The receiving courts of a decision, and what to know of before relying on them.

    - ``decider``; ``unknown``: the facts without which nobody can say who decides;
    - ``competent_court``: where the asked court may not decide, the court that may;
    - ``rule``: the one that ranks; ``ranked``: each court with its ``score`` (0…1), ``factors``
      (``weight`` in percent, ``value`` as recorded, ``normalised`` and ``share`` 0…1) and
      ``to_confirm``, the facts on which a filter still hangs; ``gap`` of the first two;
    - ``excluded``: each court with the rules that exclude it;
    - ``left_out``: the factors that are unknown for some court and so count for none;
    - ``flipped``: the rules that turn factors round; ``if_also``: those of which it is not
      known whether they do, with the court that would then be first;
    - ``sensitivity``: of each weight the interval within which the first place stays;
    - ``elevation``: the court that would take the case itself; ``notes``.
    """
    selection = select(found, register)
    if selection is None:
        return _Entries(found.program.lowered.rulebase, Selection()).body(), []
    entries = _Entries(found.program.lowered.rulebase, selection)
    return entries.body(), [*selection.problems, *entries.warnings()]


class _Entries:
    """Writes one selection."""

    def __init__(self, base: Rulebase, selection: Selection) -> None:
        self.base, self.selection = base, selection
        self.ranking = selection.ranking or Ranking((), (), (), 1, {})
        self.judged = {judged.candidate.key: judged for judged in selection.judged}
        self.whole = self.ranking.whole
        criteria = self.ranking.criteria
        self.facts = [base.vocabulary.facts[base.factors[c.factor].fact] for c in criteria]
        self.heads = [self.head(index) for index in range(len(criteria))]

    def body(self) -> Entry:
        made, ranking = self.selection, self.ranking
        power = _court(made.power.court, made.power.why) if made.power else None
        elevation = None
        if made.power and made.elevated:
            elevation = _court(made.power.court, made.elevated)
        return {
            "decider": power,
            "unknown": [self.fact(key) for key in made.unknown],
            "competent_court": power if made.wrong else None,
            "rule": _rule(made.weigher) if made.weigher else None,
            "ranked": [self.place(place) for place in ranking.places],
            "gap": None if ranking.gap is None else _part(ranking.gap, self.whole),
            "excluded": [self.excluded(j) for j in made.judged if j.failed],
            "left_out": [
                {**self.factor(name), "unknown_for": [self.named(key) for key in keys]}
                for name, keys in ranking.left_out.items()
            ],
            "flipped": [self.flipped(reasoned) for reasoned in made.flipped],
            "if_also": [self.if_also(reading) for reading in made.undecided],
            "sensitivity": [self.margin(margin) for margin in margins(ranking)],
            "elevation": elevation,
            "notes": [note.as_dict() for note in made.notes],
        }

    def warnings(self) -> Iterator[Problem]:
        """Loads of the register that are made up took part in the ranking."""
        if any(self.illustrative(place.court) for place in self.ranking.places):
            yield Problem(
                "illustrative_load",
                Text(
                    "受指定法院的排序用到法院名录中的示例负荷，并非实际数字，不能据以选定法院",
                    "the ranking of courts rests on loads of the register that are made up: "
                    "no court can be chosen by them",
                ),
                "receiving_courts",
            )

    # --- courts ----------------------------------------------------------------------------------

    def place(self, place: Place) -> Entry:
        judged = self.judged[place.court]
        return {
            **self.named(place.court),
            "rank": place.rank,
            "tied": place.tied,
            "score": _part(place.score, self.whole),
            "factors": [self.part(i, part) for i, part in enumerate(place.parts)],
            "to_confirm": self.to_confirm(judged),
            "illustrative": self.illustrative(place.court),
        }

    def part(self, index: int, part: Part) -> Entry:
        fact = self.facts[index]
        return {
            **self.heads[index],
            "value": to_wire(fact, part.raw),
            "shown": shown(fact, part.raw).as_dict(),
            "normalised": _part(part.value, self.ranking.unit),
            "share": _part(part.share, self.whole),
        }

    def head(self, index: int) -> Entry:
        """What a factor has in common for all courts."""
        weights = self.ranking.weights
        criterion = self.ranking.criteria[index]
        return {
            **self.factor(criterion.factor),
            "flipped": criterion.flipped,
            "weight": _part(_PERCENT * weights[index], sum(weights)),
        }

    def illustrative(self, key: str) -> bool:
        """Whether the score of a court rests on a load that is made up."""
        made_up = self.judged[key].candidate.made_up
        return any(fact.key in made_up for fact in self.facts)

    def to_confirm(self, judged: Judged) -> list[Entry]:
        """The facts on which a hard rule still hangs, each once, with the rules."""
        out: dict[str, Entry] = {}
        for rule, tree in judged.open:
            for leaf in culprits(tree, "unknown"):
                entry = out.setdefault(leaf["fact"], {**self.fact(leaf["fact"]), "rules": []})
                if rule.id not in entry["rules"]:
                    entry["rules"].append(rule.id)
        return list(out.values())

    def excluded(self, judged: Judged) -> Entry:
        return {
            **self.named(judged.candidate.key),
            "rules": [
                {
                    **_rule(rule),
                    "reasons": [self.reason(leaf) for leaf in culprits(tree, "false")],
                    "because": tree,
                }
                for rule, tree in judged.failed
            ],
        }

    def reason(self, leaf: Tree) -> Entry:
        """What is so of the court: the fact and its value."""
        label, value = self.base.vocabulary.facts[leaf["fact"]].label, leaf["shown"]
        return {
            "fact": leaf["fact"],
            "zh": f"{label.zh} 为 {value['zh']}",
            "en": f"{label.en}: {value['en']}",
        }

    def named(self, key: str) -> Entry:
        candidate: Candidate = self.judged[key].candidate
        return {
            "court": candidate.court.id if candidate.court else None,
            "label": candidate.label.as_dict(),
        }

    # --- rules and factors -------------------------------------------------------------------

    def flipped(self, reasoned: Reasoned) -> Entry:
        rule, tree = reasoned
        return {**_rule(rule), "factors": self.factors(rule.flips), "because": tree}

    def if_also(self, reading: Reading) -> Entry:
        keys = dict.fromkeys(leaf["fact"] for leaf in culprits(reading.because, "unknown"))
        return {
            **_rule(reading.rule),
            "factors": self.factors(reading.rule.flips),
            "unknown": [self.fact(key) for key in keys],
            "first": self.named(reading.first),
            "changes_first": reading.first != self.ranking.places[0].court,
        }

    def margin(self, margin: Margin) -> Entry:
        return {
            **self.factor(margin.factor),
            "weight": _rounded(margin.weight),
            "from": _rounded(margin.low),
            "to": _rounded(margin.high),
            "then": {
                "below": None if margin.below is None else self.named(margin.below),
                "above": None if margin.above is None else self.named(margin.above),
            },
        }

    def factors(self, names: Iterable[str]) -> list[Entry]:
        return [self.factor(name) for name in names]

    def factor(self, name: str) -> Entry:
        return {"factor": name, "label": self.base.factors[name].label.as_dict()}

    def fact(self, key: str) -> Entry:
        fact = self.base.vocabulary.facts[key]
        return {"fact": key, "label": fact.label.as_dict(), "held_by": fact.held_by.as_dict()}


def culprits(tree: Tree, truth: str) -> Iterator[Tree]:
    """The leaves of an explanation by which it is false (or unknown)."""
    if tree["truth"] != truth:
        return
    if "fact" in tree:
        yield tree
    inner = _OPPOSITE[truth] if tree.get("op") == "not" else truth
    for child in tree.get("children", ()):
        yield from culprits(child, inner)


def _court(court: Court, why: Text) -> Entry:
    return {"court": court.id, "label": court.label.as_dict(), "why": why.as_dict()}


def _rule(rule: Rule) -> Entry:
    return {
        "id": rule.id,
        "title": rule.title.as_dict(),
        "consequence": rule.consequence.as_dict(),
        "basis": rule.basis,
        "proposed_parts": [part.as_dict() for part in rule.proposed_parts],
        "citations": list(rule.citations),
    }


def _part(number: int, whole: int) -> float:
    return round(number / whole, DECIMALS)


def _rounded(number: Fraction) -> float:
    return round(float(number), DECIMALS)
