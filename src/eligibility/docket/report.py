"""What came out of a screening, as plain data with the words of the rule base: the one source
of the page that people read and of the JSON that programs read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from eligibility.courts.register import Register
from eligibility.docket.amounts import Amounts
from eligibility.docket.breakdown import NO_COURT, OTHER_COURT, Breakdown
from eligibility.docket.differences import compare
from eligibility.docket.priorities import NEED_INFO, Priorities
from eligibility.docket.result_file import REJECTED, ResultFile
from eligibility.errors import Text
from eligibility.rulebase.model import Rule, Rulebase

Entry = dict[str, Any]
TOP = 20
_REJECTED = Text("不能审查", "could not be judged")
_NEED_INFO = Text("需补充信息", "information needed")
_COURTS = {
    NO_COURT: Text("（未写执行法院）", "(no court stated)"),
    OTHER_COURT: Text("（不在法院名录中）", "(not in the register)"),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """``dockets``: the files screened, for their amounts; ``since``: an earlier result to
    compare with; ``top``: how many cases each list shows."""

    dockets: Sequence[Path] = ()
    since: ResultFile | None = None
    top: int = TOP


def report_entry(result: ResultFile, rulebase: Rulebase, wishes: Wishes) -> Entry:
    """Counts by outcome, court and rule; the cases to act on first; what differs from before.

    Raises MalformedInput where a file is no result or the docket is not that of the result.
    """
    breakdown = Breakdown(Register(rulebase.courts))
    priorities = Priorities(rulebase, wishes.top)
    amounts = Amounts(wishes.dockets, rulebase.vocabulary) if wishes.dockets else None
    for batch in result.batches():
        breakdown.add(batch)
        priorities.add(batch, amounts.beside(batch["case_no"]) if amounts else None)
    if amounts is not None:
        amounts.finish()
    words = _Words(rulebase)
    counted = breakdown.as_dict()
    return {
        "result": {"file": result.path.name, **result.about},
        "rulebase": {"version": rulebase.version, "digest": rulebase.digest},
        "rows": counted["rows"],
        "outcomes": words.outcomes(counted["outcomes"]),
        "courts": words.courts(counted["courts"]),
        "rules": words.rules(counted["rules"]),
        "unknown_facts": words.facts(counted["unknown_facts"]),
        "rejected": counted["rejected"],
        "first": {
            "groups": {name: words.cases(found) for name, found in priorities.first().items()},
            "counts": priorities.counts,
            "top": wishes.top,
            "dated": priorities.dated,
            "amounts": amounts is not None and amounts.found,
        },
        "differences": None
        if wishes.since is None
        else _differences(wishes.since, result, rulebase, wishes.top, words),
    }


def _differences(
    before: ResultFile, after: ResultFile, rulebase: Rulebase, top: int, words: _Words
) -> Entry:
    """What was counted, with the first cases of each kind."""
    shown: defaultdict[str, list[Entry]] = defaultdict(list)

    def keep(table: pa.Table) -> None:
        kinds = table["kind"].to_pylist()
        for row, kind in enumerate(kinds):
            if len(shown[kind]) < top:
                shown[kind] += table.slice(row, 1).to_pylist()

    found = compare(before, after, rulebase, keep)
    return found | {
        "before": {"file": before.path.name, **before.about},
        "after": {"file": after.path.name, **after.about},
        "same_rulebase": same_rulebase(found),
        "cases": {kind: words.cases(cases) for kind, cases in shown.items()},
        "rule_words": words.rules(dict.fromkeys({*found["rules_began"], *found["rules_ceased"]})),
        "outcome_words": words.outcomes(
            dict.fromkeys({*found["flows"], *(o for f in found["flows"].values() for o in f)}, 0)
        ),
        "fact_words": words.facts(
            dict.fromkeys({*found["facts_newly_open"], *found["facts_no_longer_open"]}, 0)
        ),
    }


def same_rulebase(found: Entry) -> bool | None:
    """Whether both results rest on one rule base; None where a file does not say."""
    digests = [(found[at].get("rulebase") or {}).get("digest") for at in ("before", "after")]
    return None if None in digests else digests[0] == digests[1]


class _Words:
    """Counts with the words of the rule base; what it does not know keeps its name."""

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.register = Register(rulebase.courts)
        labels = {NEED_INFO: _NEED_INFO, **rulebase.outcome_labels}
        labels |= {outcome.name: outcome.label for outcome in reversed(rulebase.outcomes)}
        self.labels = labels | {REJECTED: _REJECTED}
        ranks = {outcome.name: outcome.rank for outcome in rulebase.outcomes}
        best = sorted(ranks, key=lambda name: -ranks[name])
        mandatory = {o.name for o in rulebase.outcomes if o.when.get("layer") == "mandatory"}
        order = [*(n for n in best if n in mandatory), *best, NEED_INFO, *labels, REJECTED]
        self.order = {name: at for at, name in enumerate(dict.fromkeys(order))}

    def outcome(self, name: str) -> Entry:
        return self.labels.get(name, Text(name, name)).as_dict()

    def outcomes(self, counts: dict[str, int]) -> list[Entry]:
        """The better first."""
        names = sorted(counts, key=lambda name: (self.order.get(name, len(self.order)), name))
        return [{"outcome": n, "label": self.outcome(n), "cases": counts[n]} for n in names]

    def court(self, name: str | None) -> Entry:
        court = self.register.find(name)
        if court is not None:
            return court.label.as_dict()
        return _COURTS.get(name or "", Text(name or "", name or "")).as_dict()

    def courts(self, counts: dict[str, dict[str, int]]) -> list[Entry]:
        """Those with most cases first."""
        found = [
            {"court": c, "label": self.court(c), "cases": sum(by.values()), "outcomes": by}
            for c, by in counts.items()
        ]
        return sorted(found, key=lambda one: (-one["cases"], one["court"]))

    def rules(self, counts: dict[str, Any]) -> list[Entry]:
        """Those that affect most cases first."""
        found = [{**self.rule(name), **(counts[name] or {})} for name in counts]
        return sorted(found, key=lambda one: (-one.get("cases", 0), one["id"]))

    def rule(self, name: str) -> Entry:
        rule = self.rulebase.rules.get(name)
        if rule is None:
            return {"id": name, "known": False}
        layer = self.rulebase.layers.get(rule.layer)
        return {
            "id": name,
            "known": True,
            "title": rule.title.as_dict(),
            "kind": rule.kind,
            "layer": layer.label.as_dict() if layer else None,
            "basis": rule.basis,
            "proposed_parts": [part.as_dict() for part in rule.proposed_parts],
            "ground": rule.ground.as_dict() if rule.ground.zh else None,
            "sources": self._sources(rule),
        }

    def _sources(self, rule: Rule) -> list[Entry]:
        known = self.rulebase.sources
        return [
            {
                "id": cited,
                "title": known[cited].title.as_dict(),
                "locator": known[cited].locator,
                "quotes": list(known[cited].quotes),
                "verified": known[cited].verified,
            }
            for cited in rule.citations
            if cited in known
        ]

    def facts(self, counts: dict[str, int]) -> list[Entry]:
        out = []
        for key, count in counts.items():
            fact = self.rulebase.vocabulary.facts.get(key)
            label, holder = (fact.label, fact.held_by) if fact else (Text(key, key), Text("", ""))
            entry = {"fact": key, "label": label.as_dict(), "held_by": holder.as_dict()}
            out.append(entry | {"cases": count})
        return out

    def cases(self, cases: list[Entry]) -> list[Entry]:
        """Cases with the labels of their court, outcome and mode."""
        out = []
        for case in cases:
            added: Entry = {"court": self.court(case["court_id"])}
            for name in ("outcome", "outcome_before", "changes_to"):
                if case.get(name):
                    added[f"{name}_label"] = self.outcome(case[name])
            if case.get("court_before"):
                added["court_before_label"] = self.court(case["court_before"])
            mode = self.rulebase.modes.get(case.get("recommended_mode") or "")
            added["mode"] = mode.label.as_dict() if mode else None
            out.append(case | added)
        return out
