"""Facts of the docket, carried between machines: what each reference says, and what it needs.

A task writes the mentions of its rows; whoever counts reads those of all references in order,
so that counts and chains are those of one pass over the whole docket. Back goes a portion for
each reference: of the debtors and chains only those that its rows name, so that what a task
holds grows with its rows and not with the docket. Arrow files, read without running any code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eligibility.docket.chains import NO_CHAIN, Chains
from eligibility.docket.debtors import Bounds, DebtorCounts
from eligibility.docket.facts import DocketFacts
from eligibility.docket.identifiers import Codes, Index, Ints, hashes
from eligibility.docket.loads import CourtLoad, Loads
from eligibility.docket.mentions import (
    CASE_NO,
    CHANNEL,
    COURT,
    NOT_SAID,
    STATUS,
    Debtors,
    Mentions,
)
from eligibility.docket.policy import policy_of
from eligibility.rulebase.model import Rulebase

_TEXTS = (CASE_NO, COURT, STATUS, CHANNEL)
_BOUNDS = ("cases_low", "cases_high", "courts_low", "courts_high")
Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Basis:
    """What the facts of all portions have in common: the profile and day that all rows have,
    if they have one, and the loads of courts.
    """

    profile: str | None
    day: date | None
    loads: Mapping[str, CourtLoad]

    @classmethod
    def of(cls, facts: DocketFacts) -> Basis:
        return cls(facts.profile, facts.day, facts.loads.courts)


# --- mentions -----------------------------------------------------------------------------------


def write_mentions(path: Path, mentions: Iterable[Mentions]) -> None:
    """The mentions of a reference, as far as counting over all rows needs them."""
    _write(path, (_of_mentions(one) for one in mentions))


def read_written(path: Path) -> Iterator[Mentions]:
    """The mentions that :func:`write_mentions` wrote; counts that rows gave are left out."""
    for held in _read(path):
        rows = len(held["returned"])
        debtors = []
        for flat in (False, True):
            if f"owners.{flat}" in held:
                owners = np.asarray(held[f"owners.{flat}"])
                nothing = np.full(len(owners), NOT_SAID, dtype=np.int64)
                debtors.append(Debtors(owners, held[f"ids.{flat}"], nothing, nothing, flat))
        yield Mentions(
            rows,
            {key: held[key] for key in _TEXTS},
            np.asarray(held["returned"]),
            np.full(rows, NOT_SAID, dtype=np.int8),
            tuple(debtors),
            np.asarray(held["property_owners"]),
            held["properties"],
        )


def _of_mentions(mentions: Mentions) -> Arrays:
    held: dict[str, Any] = {}
    for key in _TEXTS:
        texts = mentions.texts[key]
        held[key] = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
    held["returned"] = mentions.returned
    for one in mentions.debtors:
        held[f"owners.{one.flat}"] = one.owners
        held[f"ids.{one.flat}"] = one.ids
    held["property_owners"] = mentions.property_owners
    held["properties"] = mentions.properties
    return held


# --- portions -----------------------------------------------------------------------------------


def write_portion(path: Path, facts: DocketFacts, mentions: Iterable[Mentions]) -> None:
    """Of the facts of a docket what the rows of one reference need: those of ``mentions``."""
    ids, properties = [], [np.zeros(0, dtype=np.uint64)]
    for one in mentions:
        ids += [debtors.ids for debtors in one.debtors]
        properties.append(hashes(one.properties))
    named = pa.chunked_array(ids, pa.string()).unique()
    codes = facts.counts.index.codes(named)
    named, codes = named.filter(pa.array(codes >= 0)), codes[codes >= 0]
    counts = facts.counts
    held = {"ids": named, "listed": counts.listed[codes]}
    for name, bounds in (("bounds", counts.bounds), ("seen", counts.seen)):
        columns = bounds.at(codes).columns()
        held |= {f"{name}.{c}": v for c, v in zip(_BOUNDS, columns, strict=True)}
    if facts.chains is not None:
        held |= _chains_of(facts.chains, codes, np.unique(np.concatenate(properties)))
    _write(path, [held])


def _chains_of(chains: Chains, codes: Codes, properties: Any) -> Arrays:
    """The chains of some debtors and properties, counted from 0 anew; their own numbers stay."""
    of_debtor = np.full(len(codes), NO_CHAIN, dtype=np.int32)
    known = codes < len(chains.of_debtor)
    of_debtor[known] = chains.of_debtor[codes[known]]
    of_property = chains.of_properties(properties)
    shared = of_property != NO_CHAIN
    properties, of_property = properties[shared], of_property[shared]
    kept = np.unique(np.concatenate([of_debtor, of_property]))
    kept = kept[kept != NO_CHAIN]
    return {
        "of_debtor": _renumbered(of_debtor, kept),
        "shared": properties,
        "of_property": _renumbered(of_property, kept),
        "numbers": chains.numbers[kept],
        "cases": chains.cases[kept],
        "courts": chains.courts[kept],
    }


def _renumbered(chain: Codes, kept: Ints) -> Codes:
    return np.where(chain == NO_CHAIN, NO_CHAIN, np.searchsorted(kept, chain)).astype(np.int32)


def read_portion(path: Path, rulebase: Rulebase, basis: Basis) -> DocketFacts:
    """The facts that fill the rows of one reference as those of the whole docket would.

    INVARIANT: no row of the reference is told apart by having the portion instead of the whole.
    """
    (held,) = _read(path)
    bounds, seen = (
        Bounds(*(np.asarray(held[f"{name}.{c}"]).copy() for c in _BOUNDS))
        for name in ("bounds", "seen")
    )
    listed = np.asarray(held["listed"].cast(pa.uint8())).astype(bool)
    counts = DebtorCounts(Index(held["ids"]), bounds, seen, listed)
    chains = None
    if "numbers" in held:
        names = ("of_debtor", "shared", "of_property", "cases", "courts")
        chains = Chains(*(np.asarray(held[name]) for name in names))
        chains.numbers = np.asarray(held["numbers"])
    policy = policy_of(rulebase, basis.profile, basis.day)
    loads = Loads(rulebase, dict(basis.loads))
    return DocketFacts(rulebase, policy, counts, chains, loads, basis.profile, basis.day)


# --- arrays of different lengths in one file ----------------------------------------------------


def _write(path: Path, each: Iterable[Arrays]) -> None:
    """Each set of arrays as a batch of one row of lists; the sets may differ in their names."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as file:
        for arrays in each:
            batch = pa.RecordBatch.from_pydict({k: _listed(v) for k, v in arrays.items()})
            with pa.ipc.new_stream(file, batch.schema, options=options) as writer:
                writer.write_batch(batch)


def _listed(values: Any) -> pa.Array:
    array = pa.array(values) if isinstance(values, np.ndarray) else values
    return pa.LargeListArray.from_arrays([0, len(array)], array)


def _read(path: Path) -> Iterator[dict[str, pa.Array]]:
    with pa.OSFile(str(path), "rb") as file:
        while file.tell() < file.size():
            with pa.ipc.open_stream(file) as reader:
                (batch,) = list(reader)
            yield {n: c.flatten() for n, c in zip(batch.schema.names, batch.columns, strict=True)}
