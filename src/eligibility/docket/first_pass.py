"""The first pass over a docket: what its rows say of debtors and courts, kept in bounded form.

About 20 bytes a row, 8 a debtor of a row, and each distinct identifier once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.courts.register import Register
from eligibility.docket.chains import Chains, Links, chains_of, repeated, sizes
from eligibility.docket.debtors import KINDS, Bounds, Rows, count, of_kinds
from eligibility.docket.identifiers import Bits, Codes, Hashes, Index, Sorted, hashes
from eligibility.docket.mentions import CASE_NO, CHANNEL, COURT, STATUS, Mentions, States
from eligibility.docket.policy import CLOSED, ENFORCED, THIS_ROUND, Policy
from eligibility.docket.roll import Roll
from eligibility.rulebase.model import Rulebase

REPORTED = "court_report"
SHORTEST_PROPERTY = 8
"""Shorter numbers of a property are its place in the list of one case (财产清单序号)."""
_NOT_KNOWN = -1
_CLOSED, _THIS_ROUND, _ENFORCED, _OPEN_UNKNOWN = range(4)
_NO_ROWS = np.zeros(0, dtype=np.int32)
_STATES = ("completed", THIS_ROUND, "enforcing", None)
"""A status of each kind."""


@dataclass(slots=True)
class Reports:
    """报请与退回: the cases that a court reported, and what became of earlier reports."""

    reports: int = 0
    returned: int = 0
    unknown: int = 0

    def as_dict(self) -> dict[str, int]:
        return {"reports": self.reports, "returned_before": self.returned, "unknown": self.unknown}


@dataclass(slots=True)
class Gathered:
    """What the first pass found. ``index``: the debtors, each once, with ``bounds`` and chains.

    ``without_debtor``: rows that name no debtor. ``strangers``: names of courts that the register
    does not have. ``enforced``: 未结 cases (without 终本) of the courts of which no row leaves that
    open. ``reports``: by court.
    """

    index: Index
    bounds: Bounds
    chains: Chains
    rows: int
    without_debtor: int
    strangers: list[str]
    enforced: dict[str, int]
    reports: dict[str, Reports]


@dataclass(slots=True)
class Gathering:
    """Collects mentions; :meth:`finish` counts."""

    rulebase: Rulebase
    policy: Policy
    rows: int = 0
    _cases: list[Hashes] = field(default_factory=list)
    _courts: list[Codes] = field(default_factory=list)
    _states: list[States] = field(default_factory=list)
    _roll: Roll = field(default_factory=Roll)
    _without_debtor: int = 0
    _property_rows: list[Codes] = field(default_factory=list)
    _properties: list[Hashes] = field(default_factory=list)
    _court_codes: dict[str, int] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _reports: dict[int, Reports] = field(default_factory=dict)
    _register: Register = field(init=False)

    def __post_init__(self) -> None:
        self._register = Register(self.rulebase.courts)
        self._names = list(self.rulebase.courts)
        self._court_codes = {name: code for code, name in enumerate(self._names)}

    def add(self, mentions: Mentions) -> None:
        """Keep what a batch of rows says."""
        if not mentions.rows:
            return
        courts = coded(mentions.texts[COURT], self._court)
        self._cases.append(hashes(mentions.texts[CASE_NO]))
        self._courts.append(courts)
        states = coded(mentions.texts[STATUS], self._state).astype(np.int8)
        self._states.append(states)
        self._count_reports(mentions, courts)
        self._add_debtors(mentions)
        long = pc.greater_equal(pc.utf8_length(mentions.properties), SHORTEST_PROPERTY)
        kept = np.asarray(long.fill_null(False)) & (states[mentions.property_owners] != _CLOSED)
        self._property_rows.append(mentions.property_owners[kept] + np.int32(self.rows))
        self._properties.append(hashes(mentions.properties.filter(pa.array(kept))))
        self.rows += mentions.rows

    def _add_debtors(self, mentions: Mentions) -> None:
        """Who is named in which row."""
        owners = np.concatenate([_NO_ROWS, *(d.owners for d in mentions.debtors)])
        ids = pa.concat_arrays([pa.array([], pa.string()), *(d.ids for d in mentions.debtors)])
        named = np.flatnonzero(np.asarray(ids.is_valid()))
        if len(named) < len(ids):
            owners, ids = owners[named], ids.take(pa.array(named))
        self._without_debtor += mentions.rows - int(_marked(owners, mentions.rows).sum())
        self._roll.add(ids, owners + np.int32(self.rows))

    def finish(self) -> Gathered:
        """Counts and chains of all rows added."""
        states = _joined(self._states, np.int8)
        rows = self._rows_of(states)
        found = _counted(self._roll, rows, states != _CLOSED)
        properties = _joined(self._properties, np.uint64)
        held = _joined(self._property_rows, np.int32)
        links = Links(
            found.rows, found.debtors, held, properties, rows.cases, rows.courts, rows.again
        )
        chains = chains_of(links, len(found.bounds.cases_low))
        chains.of_debtor = chains.of_debtor[found.bounds.slots]
        return Gathered(
            index=found.index,
            bounds=found.bounds,
            chains=chains,
            rows=self.rows,
            without_debtor=self._without_debtor,
            strangers=self._names[rows.registered :],
            enforced=self._enforced(rows, states),
            reports={self._names[code]: r for code, r in sorted(self._reports.items())},
        )

    def _rows_of(self, states: States) -> Rows:
        """What counts of each row."""
        cases, courts = _joined(self._cases, np.uint64), _joined(self._courts, np.int32)
        numbered = cases != 0
        cases[~numbered] = np.flatnonzero(~numbered)
        often = repeated(cases)
        again = np.zeros(len(cases), dtype=bool)
        if len(often):
            again = often[Sorted(often).places(cases)] == cases
        opens = np.array([self.policy.openness(status) for status in _STATES], dtype=np.int8)
        known = len(self.rulebase.courts)
        return Rows(cases, numbered, courts, opens[states], known, again)

    def _court(self, text: str | None) -> int:
        """The code of a court: those of the register first, under any of their names."""
        if text is None:
            return _NOT_KNOWN
        court = self._register.find(text)
        name = court.id if court else text
        code = self._court_codes.get(name)
        if code is None:
            code = self._court_codes[name] = len(self._names)
            self._names.append(name)
        return code

    def _state(self, text: str | None) -> int:
        fact = self.rulebase.vocabulary.facts.get(STATUS)
        status = fact.value_named(text) if fact is not None and text is not None else None
        if status in ENFORCED:
            return _ENFORCED
        if status in CLOSED:
            return _CLOSED
        return _THIS_ROUND if status == THIS_ROUND else _OPEN_UNKNOWN

    def _count_reports(self, mentions: Mentions, courts: Codes) -> None:
        fact = self.rulebase.vocabulary.facts.get(CHANNEL)
        words = {REPORTED, fact.values[REPORTED].zh} if fact and REPORTED in fact.values else set()
        channel = coded(mentions.texts[CHANNEL], lambda text: int(text in words))
        reported = (channel == 1) & (courts >= 0)
        for code in np.unique(courts[reported]):
            returned = mentions.returned[reported & (courts == code)]
            found = self._reports.setdefault(int(code), Reports())
            found.reports += len(returned)
            found.returned += int((returned == 1).sum())
            found.unknown += int((returned < 0).sum())

    def _enforced(self, rows: Rows, states: States) -> dict[str, int]:
        """By court of the register the cases that are 未结, where no row leaves that open."""
        courts, known = rows.courts, rows.registered
        doubtful = states == _OPEN_UNKNOWN
        open_ = (states == _ENFORCED) & (courts < known)
        if bool((doubtful | open_)[courts < 0].any()):
            return {}
        counts = sizes(courts[open_], rows.cases[open_], rows.again[open_], known)
        unsure = np.bincount(courts[doubtful & (courts >= 0)], minlength=known)
        return {self._names[c]: int(counts[c]) for c in range(known) if not unsure[c]}


@dataclass(frozen=True, slots=True)
class _Counted:
    """Debtors and their bounds; each time that one who is named more than once is named in a case
    that is not closed: the row, and the slot of his bounds.
    """

    index: Index
    bounds: Bounds
    rows: Codes
    debtors: Codes


def _counted(roll: Roll, rows: Rows, alive: Bits) -> _Counted:
    """Counts the debtors of a roll, which is given up; those in one row share their bounds."""
    kinds, used = rows.kinds(), KINDS
    hashed, checks = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.uint32)]
    slots, linked, nodes = [_NO_ROWS], [_NO_ROWS], [_NO_ROWS]
    tables = [of_kinds()]
    for block in roll.blocks():
        several = block.sizes > 1
        first = np.cumsum(block.sizes) - block.sizes
        size = int(several.sum())
        slot = kinds[block.rows[first]].astype(np.int32)
        slot[several] = np.arange(used, used + size, dtype=np.int32)
        on = np.repeat(several, block.sizes)
        named = block.rows[on]
        debtors = np.repeat(np.arange(size, dtype=np.int32), block.sizes[several])
        tables.append(count(rows, debtors, named, size))
        open_ = alive[named]
        linked.append(named[open_])
        nodes.append(debtors[open_] + np.int32(used))
        hashed.append(block.hashed)
        checks.append(block.checks)
        slots.append(slot)
        used += size
    columns = zip(*(table.columns() for table in tables), strict=True)
    kept = (np.concatenate(parts).astype(np.int32) for parts in columns)
    bounds = Bounds(*kept, slots=_joined(slots, np.int32))
    index = Index.of_prints(_joined(hashed, np.uint64), _joined(checks, np.uint32))
    return _Counted(index, bounds, _joined(linked, np.int32), _joined(nodes, np.int32))


def coded(texts: pa.Array, code_of: Callable[[str | None], int]) -> Codes:
    """A code for each text, asked once for each different one."""
    encoded = texts.dictionary_encode()
    table = [code_of(text) for text in encoded.dictionary.to_pylist()]
    codes = np.array([*table, code_of(None)], dtype=np.int32)
    return codes.take(np.asarray(encoded.indices.fill_null(len(table))))


def _marked(numbers: Codes, size: int) -> Bits:
    """Which of 0 to ``size`` - 1 are among the numbers."""
    out = np.zeros(size, dtype=bool)
    out[numbers] = True
    return out


def _joined(parts: list[Any], kind: Any) -> Any:
    """One array of all parts, which are given up."""
    made = np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, dtype=kind)
    parts.clear()
    return made
