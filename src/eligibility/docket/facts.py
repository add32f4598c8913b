"""Facts of the docket: what only all rows together know, put where a row leaves it unknown.

A value that the row gives is never replaced; where the docket shows otherwise, that is named
beside the result. What the docket cannot know stays unknown (``docs/screening.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.courts.register import Register
from eligibility.decision.decide import DEFAULT_PROFILE
from eligibility.docket.chains import NO_CHAIN, Chains
from eligibility.docket.debtors import NO_LIMIT, DebtorCounts
from eligibility.docket.filling import NOT_FILLED, fill_batch
from eligibility.docket.first_pass import SHORTEST_PROPERTY, Gathered, Gathering, coded
from eligibility.docket.identifiers import Bits, Codes, Ints, hashes
from eligibility.docket.loads import Loads, loads_of_register
from eligibility.docket.mentions import (
    COURT,
    NOT_SAID,
    STATUS,
    Mentions,
    Words,
    debtors_of,
    list_word,
    mentions_of_batch,
    mentions_of_payloads,
    read_mentions,
)
from eligibility.docket.policy import (
    CLOSED,
    COURTS,
    DEBTOR,
    OPEN_CASES,
    OVERLOAD_RATIO,
    OVERLOADED,
    Policy,
    policy_of,
    settled_parameter,
)
from eligibility.docket.results import Entry, Row
from eligibility.docket.settling import Settled, lists_of, settle, texts_of
from eligibility.rulebase.model import Rulebase

EXTRA = pa.schema(
    [
        ("chain", pa.int64()),
        ("chain_cases", pa.int64()),
        ("chain_courts", pa.int64()),
        ("debtor_counts", pa.list_(pa.string())),
        ("facts_from_docket", pa.list_(pa.string())),
        ("differs_from_docket", pa.list_(pa.string())),
    ]
)
"""The columns that these facts add to a result."""
NOTHING: Mapping[str, Any] = {
    field.name: [] if pa.types.is_list(field.type) else None for field in EXTRA
}
SHOWN = 20


def holds_docket_facts(rulebase: Rulebase) -> bool:
    """Whether the rule base has any fact that a docket can give."""
    return not {OPEN_CASES, COURTS, OVERLOADED}.isdisjoint(rulebase.vocabulary.facts)


class DocketFacts:
    """The facts of one docket under one rule base; fills rows and batches of it.

    ``profile`` and ``day``: where all rows have one. Reads nothing; see :meth:`gather`.
    """

    def __init__(
        self,
        rulebase: Rulebase,
        policy: Policy,
        counts: DebtorCounts,
        chains: Chains | None,
        loads: Loads,
        profile: str | None,
        day: date | None,
    ) -> None:
        self.rulebase, self.policy, self.counts, self.chains = rulebase, policy, counts, chains
        self.loads, self.profile, self.day = loads, profile, day
        self.gathered: Gathered | None = None
        self.complete = False
        self.words = Words.of(rulebase.vocabulary)
        self.register = Register(rulebase.courts)
        self._list_key = rulebase.vocabulary.records[DEBTOR].list_key if self._has_debtors else ""
        self._overloads: dict[tuple[str, str], int] = {}

    @classmethod
    def gather(
        cls,
        files: Iterable[Path],
        rulebase: Rulebase,
        profile: str | None = None,
        day: date | None = None,
        *,
        complete: bool = False,
        debtors: pa.Table | None = None,
        loads: Loads | None = None,
    ) -> DocketFacts:
        """The facts of the docket in ``files``, read once for the columns that count.

        ``complete``: the files hold all cases of the province, so that counts are exact.
        ``debtors``: a register of debtors (:func:`~eligibility.docket.registers.read_debtors`),
        whose numbers stand before counting. Raises MalformedInput where a file cannot be read.
        """
        mentions = (m for path in files for m in read_mentions(path, rulebase.vocabulary))
        return cls.of_mentions(
            mentions, rulebase, profile, day, complete=complete, debtors=debtors, loads=loads
        )

    @classmethod
    def of_mentions(
        cls,
        mentions: Iterable[Mentions],
        rulebase: Rulebase,
        profile: str | None = None,
        day: date | None = None,
        *,
        complete: bool = False,
        debtors: pa.Table | None = None,
        loads: Loads | None = None,
    ) -> DocketFacts:
        """As :meth:`gather`, of a docket whose rows were read elsewhere: its mentions in order."""
        policy = policy_of(rulebase, profile, day)
        gathering = Gathering(rulebase, policy)
        for one in mentions:
            gathering.add(one)
        found = gathering.finish()
        counts = DebtorCounts.of_docket(found.index, found.bounds, complete)
        if debtors is not None:
            counts = counts.with_register(debtors)
        loads = loads or loads_of_register(rulebase)
        if complete:
            loads = loads.counted(found.enforced)
        made = cls(rulebase, policy, counts, found.chains, loads, profile, day)
        made.gathered, made.complete = found, complete
        return made

    @classmethod
    def of_table(
        cls,
        table: pa.Table,
        rulebase: Rulebase,
        profile: str | None = None,
        day: date | None = None,
        *,
        complete: bool = False,
        loads: Loads | None = None,
    ) -> DocketFacts:
        """Facts from counts made elsewhere: ``debtor_id``, ``open_cases``, ``courts``.

        ``complete``: the counts are exact; else each is the least that is possible.
        """
        counts = DebtorCounts.of_table(table, complete)
        loads = loads or loads_of_register(rulebase)
        policy = policy_of(rulebase, profile, day)
        made = cls(rulebase, policy, counts, None, loads, profile, day)
        made.complete = complete
        return made

    @property
    def _has_debtors(self) -> bool:
        return DEBTOR in self.rulebase.vocabulary.records

    # --- batches and rows ----------------------------------------------------------------------

    def fill(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the facts of the docket where it leaves them unknown (null)."""
        return self.filled(batch)[0]

    def filled(
        self, batch: pa.RecordBatch, profile_column: str | None = None
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The batch filled, and the columns of its result (:data:`EXTRA`).

        ``profile_column`` names the profile of each row.
        """
        mentions = mentions_of_batch(batch, self.words)
        settled = self._settled(mentions)
        profiles = None
        if profile_column is not None and batch.schema.get_all_field_indices(profile_column):
            profiles = batch.column(profile_column).cast(pa.string()).to_pylist()
        judged = self._overloaded(mentions, profiles)
        overloaded = np.where(mentions.overloaded == NOT_SAID, judged, NOT_FILLED)
        case: dict[str, tuple[Ints, pa.DataType]] = {}
        records: dict[str, Ints] = {}
        if self._judges_loads:
            case[OVERLOADED] = (overloaded, pa.bool_())
        for one in settled:
            if one.debtors.flat:
                case |= {key: (values, pa.int64()) for key, values in one.values.items()}
            else:
                records = one.values
        made = fill_batch(batch, case, (DEBTOR, records) if records else None, self.words)
        return made, self._extra(mentions, settled, judged)

    def fill_rows(self, rows: Sequence[Row]) -> tuple[list[Row], list[Entry]]:
        """Rows with the facts of the docket where they leave them unknown, and what these facts
        add to the result of each."""
        payloads = [row.payload for row in rows]
        mentions = mentions_of_payloads(payloads, self.words)
        settled = self._settled(mentions)
        judged = self._overloaded(mentions, [row.profile for row in rows])
        overloaded = np.where(mentions.overloaded == NOT_SAID, judged, NOT_FILLED)
        extra = self._extra(mentions, settled, judged).to_pylist()
        made = list(payloads)
        for row in np.flatnonzero(overloaded != NOT_FILLED):
            if isinstance(made[row], Mapping):
                made[row] = _without(made[row], (OVERLOADED,), self.words)
                made[row][OVERLOADED] = bool(overloaded[row])
        for (_, held), one in zip(debtors_of(payloads, self.words), settled, strict=True):
            self._fill_payloads(made, held, one)
        return [replace(row, payload=p) for row, p in zip(rows, made, strict=True)], extra

    def fill_row(self, payload: Any, profile: str | None = None) -> Any:
        """One payload with the facts of the docket where it leaves them unknown."""
        return self.fill_rows([Row("", payload, profile)])[0][0].payload

    def _fill_payloads(self, made: list[Any], held: list[Any], one: Settled) -> None:
        """Copies each row and record that a value goes into; what was given stays as it was."""
        fills = {key: np.flatnonzero(v != NOT_FILLED) for key, v in one.values.items()}
        for number in sorted({int(n) for found in fills.values() for n in found}):
            row, record = held[number]
            values = {
                key: int(v[number]) for key, v in one.values.items() if v[number] != NOT_FILLED
            }
            made[row] = dict(made[row])
            if one.debtors.flat:
                made[row] = _without(made[row], values, self.words) | values
                continue
            word = list_word(made[row], self.words, DEBTOR)
            filled = _without(record, values, self.words) | values
            made[row][word] = [filled if r is record else r for r in made[row][word]]

    # --- what is known ---------------------------------------------------------------------------

    def _settled(self, mentions: Mentions) -> list[Settled]:
        most = self.rulebase.vocabulary.facts[OPEN_CASES].maximum if self.policy.cases else None
        limit = NO_LIMIT if most is None else most
        return [settle(d, self.counts, self.policy, limit) for d in mentions.debtors]

    @property
    def _judges_loads(self) -> bool:
        return bool(self.loads.courts) and OVERLOADED in self.rulebase.vocabulary.facts

    def _overloaded(self, mentions: Mentions, profiles: Sequence[str | None] | None) -> Ints:
        """For each row whether its court is overloaded: 1, 0 or ``NOT_FILLED`` (not known)."""
        out = np.full(mentions.rows, NOT_FILLED, dtype=np.int64)
        if not self._judges_loads:
            return out
        court = mentions.texts[COURT]
        if profiles is not None and any(profiles):
            for row, (name, profile) in enumerate(zip(court.to_pylist(), profiles, strict=True)):
                if name is not None:
                    out[row] = self._load_of(name, profile or self.profile)
            return out

        def load(name: str | None) -> int:
            return NOT_FILLED if name is None else self._load_of(name, self.profile)

        return coded(court, load).astype(np.int64)

    def _load_of(self, name: str, profile: str | None) -> int:
        court = self.register.find(name)
        key = court.id if court else name
        profile = profile or (court.profile if court else "") or DEFAULT_PROFILE
        if (key, profile) not in self._overloads:
            days = [self.day] if self.day else [date.min, *self.rulebase.law_dates()]
            known = profile in self.rulebase.profiles
            ratio = (
                settled_parameter(self.rulebase, OVERLOAD_RATIO, [profile], days) if known else None
            )
            found = self.loads.overloaded(key, ratio)
            self._overloads[key, profile] = NOT_FILLED if found is None else int(found)
        return self._overloads[key, profile]

    # --- what is shown ---------------------------------------------------------------------------

    def _extra(
        self, mentions: Mentions, settled: Sequence[Settled], judged: Ints
    ) -> pa.RecordBatch:
        texts = texts_of(settled, self._list_key)
        given = mentions.overloaded
        put = np.flatnonzero((judged != NOT_FILLED) & (given == NOT_SAID)).astype(np.int32)
        other = (judged != NOT_FILLED) & (given >= 0) & (given != judged)
        differ = np.flatnonzero(other).astype(np.int32)
        words = pa.array(["false", "true"])
        found = words.take(pa.array(judged[put]))
        texts["facts_from_docket"].append(
            (put, pc.binary_join_element_wise(f"{OVERLOADED}=", found, ""))
        )
        said, counted = (words.take(pa.array(v[differ].astype(np.int64))) for v in (given, judged))
        text = pc.binary_join_element_wise(f"{OVERLOADED}: ", said, ", counted ", counted, "")
        texts["differs_from_docket"].append((differ, text))
        columns = self._chain_columns(mentions, settled)
        columns += [lists_of(mentions.rows, texts[name]) for name in EXTRA.names[len(columns) :]]
        return pa.RecordBatch.from_arrays(columns, schema=EXTRA)

    def _chain_columns(self, mentions: Mentions, settled: Sequence[Settled]) -> list[pa.Array]:
        chain = self._chain_of(mentions, settled)
        at = np.where(chain == NO_CHAIN, 0, chain)
        sizes = [np.zeros(1, dtype=np.int64)] * 3
        if self.chains is not None and len(self.chains.cases):
            sizes = [self.chains.numbers, self.chains.cases, self.chains.courts]
        number, cases, courts = (size[at] for size in sizes)
        alone = (chain == NO_CHAIN) | (number == 0)
        return [pa.array(values, mask=alone) for values in (number, cases, courts)]

    def _chain_of(self, mentions: Mentions, settled: Sequence[Settled]) -> Codes:
        """The chain of each row that is not closed: that of its first debtor or property."""
        out = np.full(mentions.rows, NO_CHAIN, dtype=np.int32)
        if self.chains is None:
            return out
        ids = mentions.properties
        long = pc.greater_equal(pc.utf8_length(ids), SHORTEST_PROPERTY).fill_null(False)
        held = np.flatnonzero(np.asarray(long))
        found = self.chains.of_properties(hashes(ids.take(pa.array(held))))
        on = found != NO_CHAIN
        out[mentions.property_owners[held[on]]] = found[on]
        for one in settled:
            known = np.flatnonzero((one.codes >= 0) & (one.codes < len(self.chains.of_debtor)))
            found = self.chains.of_debtor[one.codes[known]]
            known, found = known[found != NO_CHAIN], found[found != NO_CHAIN]
            out[one.debtors.owners[known]] = found
        out[self._closed(mentions.texts[STATUS])] = NO_CHAIN
        return out

    def _closed(self, statuses: pa.Array) -> Bits:
        fact = self.rulebase.vocabulary.facts.get(STATUS)
        words = {w for key in CLOSED for w in (key, fact.values[key].zh)} if fact else set()
        return np.equal(coded(statuses, lambda text: int(text in words)), 1)

    # --- the summary -----------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """What the facts of the docket rest on, as JSON data."""
        conflicts = self.counts.conflicts
        out: dict[str, Any] = {
            "complete": self.complete,
            "debtors": len(self.counts.index),
            "debtors_listed": int(self.counts.listed.sum()),
            "conflicts": {
                "count": len(conflicts),
                "first": conflicts[:SHOWN],
            },
            "loads": self._loads_summary(),
        }
        found = self.gathered
        if found is not None and self.chains is not None:
            linked = self.chains.cases[self.chains.cases > 1]
            out["rows_without_debtor"] = found.without_debtor
            out["chains"] = {"count": len(linked), "largest": int(linked.max(initial=0))}
            out["courts_not_in_register"] = {
                "count": len(found.strangers),
                "first": found.strangers[:SHOWN],
            }
            out["reports"] = {court: r.as_dict() for court, r in found.reports.items()}
        return out

    def _loads_summary(self) -> dict[str, Any]:
        provinces = sorted({load.province for load in self.loads.courts.values() if load.province})
        means = {province: self.loads.mean(province) for province in provinces}
        return {
            "courts": len(self.loads.courts),
            "made_up_left_out": self.loads.made_up,
            "means": {p: None if m is None else round(float(m), 3) for p, m in means.items()},
            "missing": {p: self.loads.missing(p)[:SHOWN] for p in provinces if means[p] is None},
        }


def _without(record: Mapping[Any, Any], keys: Iterable[str], words: Words) -> dict[Any, Any]:
    """A record without the entries of some facts, which say nothing (null)."""
    names = set(keys)
    return {word: v for word, v in record.items() if words.facts.get(str(word)) not in names}
