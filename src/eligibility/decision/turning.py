"""The facts whose region may change by the mere passing of time, and the numbers at which.

A function of the rules alone, so it is worked out once for a profile and not in every case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Any

from eligibility.circuit.lower import Lowered
from eligibility.circuit.regions import Regions
from eligibility.vocabulary.model import Fact, Type

TURNING = ("days_since", "days_to", "days_until_start", "months_elapsed")
"""The derivations whose number changes from day to day."""


@dataclass(frozen=True, slots=True)
class Turning:
    """A fact that time moves: its ``kind`` (of derivation, or ``date``) with its argument,
    the date that it is counted from, and the numbers its tests compare with."""

    fact: Fact
    kind: str
    argument: Any
    source: str
    numbers: tuple[int, ...]


def turning_facts(lowered: Lowered) -> list[Turning]:
    """Those of the case, then those of each kind of record."""
    kinds = (lowered.regions, *lowered.record_regions.values())
    return [
        turning
        for found in kinds
        for regions in found
        if regions is not None
        for turning in _turning(regions)
    ]


def _turning(regions: Regions) -> Iterator[Turning]:
    fact, numbers = regions.fact, tuple(whole_numbers(regions))
    if not numbers:
        return
    if fact.type is Type.DATE:
        yield Turning(fact, "date", None, fact.key, numbers)
    elif fact.derive is not None and fact.derive[0] in TURNING:
        kind, argument = fact.derive
        yield Turning(fact, kind, argument, source_of(kind, argument), numbers)


def whole_numbers(regions: Regions) -> list[int]:
    """The numbers that the tests of a fact compare with, fractions rounded down."""
    found = (x for _, x in regions.tests if isinstance(x, (int, Decimal)))
    return sorted({floor(x) for x in found if not isinstance(x, bool)})


def source_of(kind: str, argument: Any) -> str:
    """The date that a derived number of days or months is counted from."""
    source = argument["from"] if kind == "months_elapsed" else argument
    return str(source[0] if isinstance(source, list) else source)
