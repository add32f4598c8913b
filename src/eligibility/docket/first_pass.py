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
from eligibility.docket.chains import Chains, Links, chains_of, sizes
from eligibility.docket.debtors import Bounds, Named, count
from eligibility.docket.identifiers import Bits, Codes, Distinct, Hashes, hashes
from eligibility.docket.mentions import CASE_NO, CHANNEL, COURT, STATUS, Mentions, States
from eligibility.docket.policy import CLOSED, ENFORCED, THIS_ROUND, Policy
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
    """What the first pass found. ``ids``: the debtors, each once, with ``bounds`` and chains.

    ``without_debtor``: rows that name no debtor. ``strangers``: names of courts that the register
    does not have. ``enforced``: 未结 cases (without 终本) of the courts of which no row leaves that
    open. ``reports``: by court.
    """

    ids: pa.Array
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
    _debtor_rows: list[Codes] = field(default_factory=list)
    _ids: Distinct = field(default_factory=Distinct)
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
        courts = _coded(mentions.texts[COURT], self._court)
        self._cases.append(hashes(mentions.texts[CASE_NO]))
        self._courts.append(courts)
        self._states.append(_coded(mentions.texts[STATUS], self._state).astype(np.int8))
        self._count_reports(mentions, courts)
        self._add_debtors(mentions)
        long = pc.greater_equal(pc.utf8_length(mentions.properties), SHORTEST_PROPERTY)
        kept = np.asarray(long.fill_null(False))
        self._property_rows.append(mentions.property_owners[kept] + np.int32(self.rows))
        self._properties.append(hashes(mentions.properties.filter(pa.array(kept))))
        self.rows += mentions.rows

    def _add_debtors(self, mentions: Mentions) -> None:
        """Who is named in which row, in the order of the rows."""
        owners = np.concatenate([_NO_ROWS, *(d.owners for d in mentions.debtors)])
        ids = pa.concat_arrays([pa.array([], pa.string()), *(d.ids for d in mentions.debtors)])
        named = np.flatnonzero(np.asarray(ids.is_valid()))
        if len(mentions.debtors) > 1:
            named = named[np.argsort(owners[named], kind="stable")]
        self._debtor_rows.append(owners[named] + np.int32(self.rows))
        self._ids.add(ids.take(pa.array(named)))

    def finish(self) -> Gathered:
        """Counts and chains of all rows added."""
        ids, debtors = self._ids.finish()
        rows = _joined(self._debtor_rows, np.int32)
        cases, courts = _joined(self._cases, np.uint64), _joined(self._courts, np.int32)
        states = _joined(self._states, np.int8)
        numbered = cases != 0
        cases[~numbered] = np.flatnonzero(~numbered)
        opens = np.array([self.policy.openness(status) for status in _STATES], dtype=np.int8)
        known = len(self.rulebase.courts)
        named = Named(debtors, rows, cases, numbered, courts, opens[states], known)
        seen = count(named, len(ids))
        alive = states != _CLOSED
        properties = _joined(self._properties, np.uint64)
        held = _joined(self._property_rows, np.int32)
        on, of = alive[rows], alive[held]
        links = Links(rows[on], debtors[on], held[of], properties[of], cases, courts)
        return Gathered(
            ids=ids,
            bounds=seen,
            chains=chains_of(links, len(ids)),
            rows=self.rows,
            without_debtor=self.rows - int(_marked(rows, self.rows).sum()),
            strangers=self._names[known:],
            enforced=self._enforced(cases, courts, states),
            reports={self._names[code]: r for code, r in sorted(self._reports.items())},
        )

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
        channel = pc.is_in(mentions.texts[CHANNEL], value_set=pa.array(words, pa.string()))
        reported = np.asarray(channel) & (courts >= 0)
        for code in np.unique(courts[reported]):
            returned = mentions.returned[reported & (courts == code)]
            found = self._reports.setdefault(int(code), Reports())
            found.reports += len(returned)
            found.returned += int((returned == 1).sum())
            found.unknown += int((returned < 0).sum())

    def _enforced(self, cases: Hashes, courts: Codes, states: States) -> dict[str, int]:
        """By court of the register the cases that are 未结, where no row leaves that open."""
        doubtful = states == _OPEN_UNKNOWN
        if bool((doubtful | (states == _ENFORCED))[courts < 0].any()):
            return {}
        known = len(self.rulebase.courts)
        open_ = (states == _ENFORCED) & (courts < known)
        counts = sizes(courts[open_], cases[open_], known)
        unsure = np.bincount(courts[doubtful & (courts >= 0)], minlength=known)
        return {self._names[c]: int(counts[c]) for c in range(known) if not unsure[c]}


def _coded(texts: pa.Array, code_of: Callable[[str | None], int]) -> Codes:
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
