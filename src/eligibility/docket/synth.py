"""Dockets made up for trials and measurements: deterministic, plausible, none of it real.

What is likely is said here; everything else (facts, values, courts, thresholds) comes from
the rule base, so that a new fact is in the next docket without a line of code.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.values import FIRST_DAY

Entry = dict[str, Any]

MISSING = 0.05  # share of facts that nobody recorded
DEBTORS = 200_000  # of which few owe in many cases (Zipf), half of all that are named
OTHER_DEBTORS = 50_000_000  # who mostly owe in one
COUNTED = 0.1  # share of debtors whose cases somebody counted: else only the docket tells
_TRUE = 0.25
_COUNTS = frozenset({"same_debtor_open_cases", "same_debtor_courts", "court_overloaded"})
_LIKELY = {
    "procedure_status": ("enforcing", 0.85),
    "title_content_clear": (True, 0.97),
    "settlement_state": ("none", 0.85),
    "bankruptcy_state": ("none", 0.93),
    "online_inquiry_done": (True, 0.9),
    "onsite_inquiry_done": (True, 0.8),
    "justified_reason_documented": (True, 0.6),
    "criminal_civil_overlap": (False, 0.97),
    "debtor_operating": (False, 0.9),
    "enforceable_property_exists": (True, 0.7),
    "obligation_type": ("money", 0.8),
    "entrusted_in": (False, 0.97),
    "in_open_centralisation": (False, 0.98),
    "handler_conflict": (False, 0.97),
    "court_conflict": (False, 0.97),
}


class Synthesis:
    """A docket of one seed as of one day. Case ``n`` is the same whatever was made before it."""

    def __init__(self, rulebase: Rulebase, seed: int, as_of: date) -> None:
        self.vocabulary = rulebase.vocabulary
        self.seed, self.as_of = seed, as_of
        self.above = {c.id: c.parent for c in rulebase.courts.values() if c.parent}
        basic = [c.id for c in rulebase.courts.values() if c.level == "basic"]
        self.courts = basic or list(rulebase.courts)
        stated = [
            f
            for f in self.vocabulary.facts.values()
            if f.type is not Type.RECORDS and f.derive is None and not f.alias_of
        ]
        self.facts = {
            scope: [f for f in stated if f.scope == scope]
            for scope in self.vocabulary.payload_scopes()
        }

    def cases(self, count: int) -> Iterator[Entry]:
        """Payloads as :func:`read_case` reads them."""
        return (self.case(number) for number in range(count))

    def case(self, number: int) -> Entry:
        random = Random(f"{self.seed}/{number}")
        out = self._stated(random, CASE)
        out["case_no"] = f"（{self.as_of.year}）执{number + 1}号"
        # Few courts have most of the cases.
        place = min(int(random.paretovariate(0.8)) - 1, len(self.courts) * 50)
        out["court_id"] = self.courts[place % len(self.courts)]
        for scope, weights in (("debtor", (0, 80, 15, 5)), ("property", (15, 60, 18, 7))):
            kind = self.vocabulary.records.get(scope)
            if kind is None:
                continue
            how_many = random.choices(range(4), weights)[0]
            out[kind.list_key] = [self._stated(random, scope) for _ in range(how_many)]
        if "excluded_interval" in self.vocabulary.records and random.random() < 0.3:
            made = [self._interval(random) for _ in range(random.randint(1, 3))]
            out["excluded_intervals"] = made
        self._ask(random, out)
        _cohere(out)
        return out

    def _ask(self, random: Random, out: Entry) -> None:
        """Whom the request asks: mostly nobody by name, else the court above; rarely another."""
        above = self.above.get(out["court_id"], "")
        for key, usual in (("asked_court", above), ("deciding_court", above)):
            if out.pop(key, None) is not None and usual and random.random() < 0.4:
                out[key] = usual if random.random() < 0.9 else random.choice(self.courts)
        peers = [court for court in self.courts if self.above.get(court) == above]
        if out.pop("receiving_court", None) is not None and random.random() < 0.3:
            out["receiving_court"] = random.choice(peers or self.courts)

    def _stated(self, random: Random, scope: str) -> Entry:
        return {
            fact.key: self._value(random, fact)
            for fact in self.facts[scope]
            if random.random() >= (1 - COUNTED if fact.key in _COUNTS else MISSING)
        }

    def _value(self, random: Random, fact: Fact) -> Any:
        likely = _LIKELY.get(fact.key)
        if likely is not None and random.random() < likely[1]:
            return likely[0]
        if fact.many:
            return random.sample(self.courts, random.choice((0, 0, 0, 1)))
        if fact.type is Type.BOOL:
            return random.random() < _TRUE
        if fact.type is Type.ENUM:
            return random.choice(list(fact.values))
        if fact.type is Type.SET:
            return [value for value in fact.values if random.random() < 0.15]
        if fact.type is Type.DATE:
            return self._day(random, fact)
        if fact.type is Type.TEXT:
            return self._text(random, fact)
        low = fact.minimum if fact.minimum is not None else 0
        high = fact.maximum if fact.maximum is not None else 10**9
        scale = 50_000 if fact.type is Type.MONEY else 1.5
        return max(low, min(int(random.paretovariate(0.9) * scale - scale), high))

    def _text(self, random: Random, fact: Fact) -> str:
        if fact.key == "debtor_id":
            if random.random() < 0.5:
                return f"D{DEBTORS + random.randrange(OTHER_DEBTORS)}"
            return f"D{int(random.paretovariate(0.5) * 20 - 20) % DEBTORS}"
        if "court" in fact.key:
            return random.choice(self.courts)
        return f"{fact.key}-{random.randint(1, 10**6)}"

    def _day(self, random: Random, fact: Fact) -> str:
        if fact.event and random.random() < 0.4:
            return "none"
        ago = int(random.expovariate(1 / 180))
        day = self.as_of - timedelta(days=ago)
        if fact.future and random.random() < 0.5:
            day = self.as_of + timedelta(days=ago)
        return max(day, FIRST_DAY).isoformat()

    def _interval(self, random: Random) -> Entry:
        kinds = list(self.vocabulary.records["excluded_interval"].fields["kind"].values)
        start = self.as_of - timedelta(days=random.randint(1, 500))
        out: Entry = {"kind": random.choice(kinds), "from": start.isoformat()}
        if random.random() < 0.8:
            out["to"] = (start + timedelta(days=random.randint(1, 120))).isoformat()
        if random.random() < 0.8:
            out["doc_no"] = f"执异{random.randint(1, 999)}号"
        return out


def _cohere(case: Entry) -> None:
    """Takes back what cannot be true together: a date before another, a result of nothing."""
    filed, reported = case.get("filing_date"), case.get("report_date")
    if filed and reported and reported < filed:
        case["filing_date"], case["report_date"] = reported, filed
    if case.get("urge_order_date") == "none":
        case["urge_deadline"] = "none"
    if case.get("internal_crossing_date") == "none":
        case.pop("internal_crossing_progress", None)
    if case.get("superior_supervised") is False:
        case.pop("supervised_progress", None)
    for debtor in case.get("debtors", ()):
        cases, courts = (debtor.get(f"same_debtor_{what}") for what in ("open_cases", "courts"))
        if cases is not None and courts is not None:
            debtor["same_debtor_courts"] = min(cases, courts)
