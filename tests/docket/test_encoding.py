"""The masks of columns against those of single values."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from eligibility.circuit.regions import Regions, partition
from eligibility.decision.program import Programs
from eligibility.docket.columns import KNOWN, NEVER, UNKNOWN, Column
from eligibility.docket.encoding import Encoder
from eligibility.errors import Text
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import NONE, Fact, Type
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

DAYS = (date(2025, 6, 1), date(2024, 2, 29), date(2023, 8, 31), date(2099, 3, 1), FIRST_DAY)


def regions_of_shipped_rules() -> list[Regions]:
    programs = Programs(load_rules())
    found: dict[Any, Regions] = {}
    for profile in programs.rulebase.profiles:
        lowered = programs.at(profile, DAYS[0]).lowered
        for regions in [
            *lowered.regions,
            *(r for held in lowered.record_regions.values() for r in held),
        ]:
            if regions is not None:
                found[regions.fact.key, regions.tests] = regions
    return list(found.values())


def made_up() -> list[Regions]:
    def fact(kind: Type, **more: Any) -> Fact:
        return Fact("f", Text("甲", "f"), kind, **more)

    return [
        partition(fact(Type.INT), [("ge", 3), ("gt", 3), ("is", 7), ("lt", -2)]),
        partition(fact(Type.MONEY), [("le", 12345), ("gt", 10**9)]),
        partition(fact(Type.DECIMAL), [("ge", Decimal("6")), ("gt", Decimal("-0.5"))]),
        partition(fact(Type.DECIMAL), [("lt", Decimal("6.0005"))]),
        partition(
            fact(Type.DATE, event=True),
            [("months_ago", 6), ("days_ago", 180), ("within_days", 30), ("is_none", None)],
        ),
        partition(fact(Type.DATE), [("within_months", n) for n in (1, 2, 6, 12)]),
    ]


def values(regions: Regions, random: Random, count: int, day: date) -> list[Any]:
    """Typed values on and beside every threshold, silence and what never happened."""
    fact = regions.fact
    if fact.type is Type.BOOL:
        found: list[Any] = [True, False]
    elif fact.type is Type.ENUM:
        found = list(fact.values)
    elif fact.type is Type.SET:
        found = [frozenset(v for v in fact.values if random.random() < 0.4) for _ in range(9)]
    elif fact.type is Type.DATE:
        found = [
            day - timedelta(days=random.choice((0, 1, 29, 30, 31, 181, 184, 900)))
            for _ in range(20)
        ]
        found = [min(max(d + timedelta(days=random.randint(-4, 4)), FIRST_DAY), day) for d in found]
        found += [NONE] if fact.can_be_none else []
    else:
        step = Decimal("0.001") if fact.type is Type.DECIMAL else 1
        near = [x for _, x in regions.tests if isinstance(x, (int, Decimal))] or [0]
        found = [x + step * k for x in near for k in (-1, 0, 1, 400)]
        if fact.type is Type.DECIMAL:
            found = [Decimal(x).quantize(Decimal("0.001")) for x in found]
        low = fact.minimum if fact.minimum is not None else -(10**12)
        found = [max(x, low) for x in found]
    return random.choices([*found, None], k=count)


def column_of(fact: Fact, held: list[Any]) -> Column:
    words: dict[Any, int] = {}
    numbers, states = [], []
    for value in held:
        states.append(UNKNOWN if value is None else NEVER if value is NONE else KNOWN)
        if value is None or value is NONE:
            numbers.append(0)
        elif isinstance(value, date):
            numbers.append(value.toordinal())
        elif isinstance(value, (str, frozenset)):
            numbers.append(words.setdefault(value, len(words)))
        else:
            numbers.append(int(value * (1000 if fact.type is Type.DECIMAL else 1)))
    state = np.array(states, dtype=np.uint8)
    return Column(np.array(numbers, dtype=np.int64), state, tuple(words))


@pytest.mark.parametrize(
    "regions", [*regions_of_shipped_rules(), *made_up()], ids=lambda r: r.fact.key
)
def test_masks_are_those_of_single_values(regions: Regions) -> None:
    random, encoder = Random(regions.fact.key), Encoder(regions)
    for day in DAYS:
        held = values(regions, random, 60, day)
        found = encoder.encode(column_of(regions.fact, held), np.full(60, day.toordinal()))
        assert found.tolist() == [regions.encode(value, day) for value in held]
    days = [random.choice(DAYS) for _ in range(200)]
    held = [values(regions, random, 1, day)[0] for day in days]
    ordinals = np.array([day.toordinal() for day in days])
    found = encoder.encode(column_of(regions.fact, held), ordinals)
    assert found.tolist() == [regions.encode(v, d) for v, d in zip(held, days, strict=True)]


def test_of_no_column_nothing_is_known() -> None:
    for regions in made_up():
        assert (
            Encoder(regions).encode(None, np.full(3, LAST_DAY.toordinal())).tolist()
            == [regions.unknown] * 3
        )
