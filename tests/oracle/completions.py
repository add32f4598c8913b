"""Every completion of a case, one by one: what a decision diagram answers at a stroke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from oracle.interpreter import Known
from oracle.subject import Read, Subject, lifted

Place = tuple[str, int, str]  # scope, record, fact


@dataclass(frozen=True)
class Unknown:
    """A fact that is not known, with one value for each region that its values can lie in."""

    place: Place
    values: tuple[Any, ...]


def unknowns(subject: Subject, read: Read) -> list[Unknown]:
    """The unknown facts that rules or constraints ask about."""
    lowered = subject.program.lowered
    found = []
    scoped = [("case", 0, read.derived.facts, [r for r in lowered.regions if r is not None])]
    for scope, regions in lowered.record_regions.items():
        for index, record in enumerate(read.derived.records.get(scope, [])):
            scoped.append((scope, index, record, list(regions)))
    for scope, index, store, parts in scoped:
        for part in parts:
            if store.get(part.fact.key) is None:
                values = [part.sample(r, subject.as_of) for r in range(part.count)]
                place = (scope, index, part.fact.key)
                found.append(Unknown(place, tuple(v for v in values if v is not None)))
    return found


def count(found: Iterable[Unknown]) -> int:
    return prod(len(one.values) for one in found)


def filled(read: Read, places: Iterable[Place], values: Iterable[Any]) -> Known:
    """The case with some facts filled in."""
    facts = dict(read.derived.facts)
    records = {scope: [dict(r) for r in rs] for scope, rs in read.derived.records.items()}
    for (scope, index, key), value in zip(places, values, strict=True):
        (facts if scope == "case" else records[scope][index])[key] = value
    return Known(facts, records)


def completions(
    subject: Subject, read: Read, found: list[Unknown]
) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Each completion that can be, with the position of its outcome.

    Closed leaves keep to the record, all others see the completion; what a constraint
    excludes is left out.
    """
    places = [one.place for one in found]
    off = lifted(read.case, subject.rulebase)
    for values in product(*(one.values for one in found)):
        known = filled(read, places, values)
        if subject.interpreter.impossible(known):
            continue
        (outcome,) = subject.interpreter.opinion(known, off, read.known).outcomes
        yield values, outcome
