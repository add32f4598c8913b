"""Cases made to be awkward: month ends, leap days, holidays, overlapping and open intervals.

Typed cases, not payloads: also what no reader lets through must be derived alike or refused.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from eligibility.calendars import Interval
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, NONE, Fact, Type
from eligibility.vocabulary.payload import Case

AWKWARD = [
    date(2024, 2, 29),
    date(2023, 8, 31),
    date(2023, 8, 30),
    date(2023, 8, 29),
    date(2024, 4, 4),
    date(2024, 9, 29),
    date(2024, 10, 1),
    date(2023, 12, 31),
    date(2024, 1, 31),
    date(2025, 1, 28),
    date(2025, 5, 1),
    date(2020, 2, 29),
    date(1949, 10, 1),
    date(2199, 12, 31),
    date(2099, 2, 28),
]


class Hostile:
    """Awkward cases of one rule base; ``given``: how often a derived fact is given."""

    def __init__(self, rulebase: Rulebase, random: Random, given: float = 0.02) -> None:
        self.vocabulary, self.random, self.given = rulebase.vocabulary, random, given
        courts = list(rulebase.courts.values())
        names = [n for c in courts[:12] for n in (c.id, c.label.zh, *c.aliases)]
        self.courts = [*names, *(c.id for c in courts), "某某法院", "no court"]
        self.missing = random.choice((0.1, 0.4, 0.8))
        self.kinds = list(self.vocabulary.records["excluded_interval"].fields["kind"].values)

    def day(self) -> date:
        random = self.random
        day = random.choice(AWKWARD[:12] if random.random() < 0.9 else AWKWARD)
        moved = day + timedelta(days=random.choice((0, 0, 0, 1, -1, 30, -31, 183, 400)))
        return min(max(moved, AWKWARD[12]), AWKWARD[13])

    def case(self) -> Case:
        random = self.random
        case = Case(self.store(CASE))
        for scope in self.vocabulary.payload_scopes()[1:]:
            case.records[scope] = [self.store(scope) for _ in range(random.choice((0, 1, 1, 2, 4)))]
        if random.random() < 0.8:
            many = random.choice((0, 1, 2, 3, 9))
            case.intervals = tuple(self.interval(i) for i in range(many))
        return case

    def interval(self, index: int) -> Interval:
        random = self.random
        start = self.day()
        end = start + timedelta(days=random.choice((0, 1, 5, 40, 200, 900)))
        stated = start + timedelta(days=random.choice((-3, 0, 20, 100, 500)))
        return Interval(
            random.choice(["deferral", "deferral", "suspension", *self.kinds]),
            start,
            end if random.random() < 0.5 else None,
            random.choice((None, " ", "文1", "文1", "文2", "文3")),
            stated if random.random() < 0.6 else None,
            random.random() < 0.5,
            index,
        )

    def store(self, scope: str) -> dict[str, Any]:
        out = {}
        for fact in self.vocabulary.facts.values():
            if fact.scope != scope or fact.type is Type.RECORDS or fact.alias_of:
                continue
            often = self.given if fact.derive is not None else 1 - self.missing
            if self.random.random() < often:
                out[fact.key] = self.value(fact)
        return out

    def value(self, fact: Fact) -> Any:
        random = self.random
        if fact.many:
            return frozenset(random.choices(self.courts, k=random.choice((0, 1, 3))))
        if fact.type is Type.BOOL:
            return random.random() < 0.5
        if fact.type is Type.ENUM:
            return random.choice(list(fact.values))
        if fact.type is Type.SET:
            return frozenset(v for v in fact.values if random.random() < 0.3)
        if fact.type is Type.DATE:
            return NONE if fact.event and random.random() < 0.3 else self.day()
        if fact.type is Type.TEXT:
            return random.choice(self.courts)
        if fact.type is Type.DECIMAL:
            return Decimal(random.choice(("0", "5.999", "6", "6.0001", "12.5")))
        return random.choice((0, 0, 1, 2, 10, 31))
