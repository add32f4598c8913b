"""Dockets as Arrow batches with rows spoilt in every way that Arrow can hold."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from eligibility.docket.synth import Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.payload import AS_OF_ALIAS

LISTS = ("properties", "debtors", "excluded_intervals", "overrides")
_AMOUNTS = (0.0, 0.1, 0.005, 1e15, 12345678.91, -1.0, float("nan"), float("inf"), 99999999.999)


class Spoiler:
    """Takes ordinary payloads and makes some of them say what a docket should not."""

    def __init__(self, rulebase: Rulebase, random: Random, as_of: date, often: float = 0.5) -> None:
        self.vocabulary, self.random, self.as_of = rulebase.vocabulary, random, as_of
        self.often = often
        self.synthesis = Synthesis(rulebase, random.randrange(10**6), as_of)
        self.schema = docket_schema(rulebase.vocabulary)
        self.facts = [self.vocabulary.facts[n] for n in self.schema.names if n not in LISTS]

    def payloads(self, count: int) -> list[dict[str, Any]]:
        return [
            self.spoilt(case) if self.random.random() < self.often else case
            for case in self.synthesis.cases(count)
        ]

    def batch(self, count: int) -> pa.RecordBatch:
        """A batch of the schema of a docket with one column that nobody knows."""
        rows = self.payloads(count)
        found = pa.RecordBatch.from_pylist(rows, self.schema)
        said = [self.random.choice((None,) * 30 + ("x",)) for _ in rows]
        return found.append_column("nobody knows this", pa.array(said, pa.string()))

    def spoilt(self, case: dict[str, Any]) -> dict[str, Any]:
        for _ in range(self.random.choice((1, 1, 2))):
            self.random.choice((self._fact, self._fact, self._record, self._list, self._day))(case)
        return case

    def _fact(self, case: dict[str, Any]) -> None:
        fact = self.random.choice(self.facts)
        case[fact.key] = self.value(fact)

    def _record(self, case: dict[str, Any]) -> None:
        kind = self.random.choice(
            [k for k in self.vocabulary.lists().values() if k.list_key in LISTS]
        )
        held = list(kind.fields.values()) or list(self.vocabulary.of_scope(kind.name))
        for record in case.get(kind.list_key) or []:
            fact = self.random.choice(held)
            record[fact.key] = self.value(fact)

    def _list(self, case: dict[str, Any]) -> None:
        name = self.random.choice(LISTS)
        made: tuple[Any, ...] = (
            [],
            None,
            [{}],
            [{}] * self.random.choice((4, 201)),
            [{"kind": "suspension"}],
        )
        case[name] = self.random.choice(made)
        if name != "excluded_intervals":
            case[name] = case[name] and [{} for _ in case[name]]

    def _day(self, case: dict[str, Any]) -> None:
        moved = self.as_of + timedelta(days=self.random.choice((0, -400, 1)))
        case[AS_OF_ALIAS] = moved.isoformat()

    def value(self, fact: Fact) -> Any:
        """A value that Arrow holds in the column of this fact, fitting or not."""
        random = self.random
        if fact.many or fact.type is Type.SET:
            named = [*fact.values, *(t.zh for t in fact.values.values()), "3201", "什么"]
            return random.choices([*named, None], k=random.choice((0, 1, 2, 5)))
        if fact.type is Type.INT:
            return random.choice((0, 1, 7, 200, -1, 2**62, 10**15))
        if fact.type in (Type.MONEY, Type.DECIMAL):
            return random.choice(_AMOUNTS)
        if fact.type is Type.BOOL:
            return random.random() < 0.5
        if fact.type is Type.DATE:
            later = (self.as_of + timedelta(days=random.randint(-900, 900))).isoformat()
            return random.choice((later, later, "none", "无", "2024-02-30", "1949-09-30", "", "x"))
        if fact.type is Type.ENUM:
            return random.choice([*fact.values, *(t.zh for t in fact.values.values()), "什么", ""])
        return random.choice(("3201", "js-yancheng", "national", "x" * 4001, "", "甲" * 2000))


def case_facts(rulebase: Rulebase) -> list[Fact]:
    return [f for f in rulebase.vocabulary.facts.values() if f.scope == CASE]


def spoilt_docket(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Some rows made impossible, doubtful or repeated."""
    random = Random(3)
    changes: list[dict[str, Any]] = [
        {"filing_date": "2099-01-01"},
        {"filing_date": "yesterday"},
        {"procedure_status": "gibberish"},
        {"court_id": "no such court"},
        {"case_no": None},
        {"debtors": []},
        {"debtors": [{"debtor_id": "无"}, {"debtor_id": "D1"}, {"debtor_id": " d1 "}]},
        {"debtors": [{"debtor_id": "D1", "same_debtor_open_cases": 1, "same_debtor_courts": 9}]},
    ]
    return [
        case | random.choice(changes) if random.random() < 0.1 else case
        for case in cases + random.sample(cases, 20)
    ]
