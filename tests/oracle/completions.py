"""Every completion of a case, one by one: what a decision diagram answers at a stroke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from math import prod
from random import Random
from typing import Any

from eligibility.vocabulary.model import Fact, Type
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


# --- completions of what was recorded, derivations included --------------------------------------


def candidate_values(subject: Subject, fact: Fact, random: Random) -> list[Any]:
    """Values on the wire that between them turn every clock and comparison of the rules."""
    if fact.type is Type.BOOL:
        return [True, False]
    if fact.type is Type.ENUM:
        return list(fact.values)
    if fact.type is Type.SET:
        chosen = [[v for v in fact.values if random.random() < 0.4] for _ in range(12)]
        return [[], *([v] for v in fact.values), list(fact.values), *chosen]
    if fact.type is Type.DATE:
        ago = (0, 1, 7, 8, 29, 30, 31, 59, 60, 61, 91, 180, 183, 186, 240, 400, 900)
        days: list[Any] = [(subject.as_of - timedelta(days=n)).isoformat() for n in ago]
        return ["none", *days] if fact.event else days
    writer = subject.writer(random.randrange(10**6))
    return list(dict.fromkeys(writer.value(fact) for _ in range(25)))


def recorded_completions(
    subject: Subject, read: Read, places: list[tuple[dict[str, Any], str]], random: Random
) -> Iterator[int]:
    """Outcomes of the case with unknown inputs stated and everything derived anew.

    ``places``: the part of the payload and the fact that is missing there.
    """
    facts = subject.rulebase.vocabulary.facts
    choices = [candidate_values(subject, facts[key], random) for _, key in places]
    off = lifted(read.case, subject.rulebase)
    for values in product(*choices):
        for (store, key), value in zip(places, values, strict=True):
            store[key] = value
        whole = subject.read(read.payload)
        if whole is not None and not subject.interpreter.impossible(whole.known):
            found = unknowns(subject, whole)  # what cannot be derived from anything recorded
            if count(found) > 64:
                continue
            places_left = [one.place for one in found]
            for rest in product(*(one.values for one in found)):
                known = filled(whole, places_left, rest)
                if not subject.interpreter.impossible(known):
                    yield from subject.interpreter.opinion(known, off, read.known).outcomes
    for store, key in places:
        del store[key]
