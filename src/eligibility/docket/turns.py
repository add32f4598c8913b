"""The days on which time may move an input of the circuit, for whole batches.

What ``decision.changes`` lists for one case: a clock that runs out, an urge order that ends,
a date or a number of days that passes a threshold of the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from eligibility.calendars import STAY_KINDS
from eligibility.circuit.regions import Regions
from eligibility.decision.changes import HORIZON
from eligibility.decision.program import Program
from eligibility.decision.turning import TURNING, source_of, whole_numbers
from eligibility.docket.columns import KNOWN, UNKNOWN, Bits, Column, Ints
from eligibility.docket.deriving import Batch, BulkDerivations
from eligibility.docket.spans import ENDLESS
from eligibility.vocabulary.model import CASE, Clock, Fact, Type
from eligibility.vocabulary.reader import inputs_of
from eligibility.vocabulary.values import LAST_DAY

_LAST_START = (LAST_DAY - HORIZON).toordinal()
_MOST_MONTHS = 600
_CLOCKS = ("clock", "clock_expiry", "deducted_days")
_URGED = ("urge_expiry", "urge_result")
URGE_EXPIRY = "urge_expiry"
Found = tuple[Ints, Ints]  # rows of a scope, and beside each a day


@dataclass(frozen=True, slots=True)
class Turn:
    """An input of the circuit that time may move. ``wild``: on days that nothing here lists."""

    scope: str
    input: int
    regions: Regions
    wild: bool


@dataclass(slots=True)
class TurningDays:
    """For each turn the rows of its scope that it may move, and on which days of which case.

    ``unasked``: days of clocks that no input of the circuit asks about.
    """

    moved: list[Bits] = field(default_factory=list)
    cases: list[Ints] = field(default_factory=list)
    days: list[Ints] = field(default_factory=list)
    unasked: list[Found] = field(default_factory=list)


class Turns:
    """What time may move in the circuit of one program."""

    def __init__(self, program: Program, bulk: BulkDerivations) -> None:
        self.bulk = bulk
        self.vocabulary = bulk.vocabulary
        self._varying = {f.key for f in self.vocabulary.facts.values() if self._varies(f, ())}
        lowered = program.lowered
        places = [(CASE, i, r) for i, r in enumerate(lowered.regions) if r is not None]
        for scope, found in lowered.record_regions.items():
            places += [(scope, i, r) for i, r in enumerate(found)]
        made = (self._turn(*place) for place in places)
        self.turns = [turn for turn in made if turn is not None]

    def _varies(self, fact: Fact, path: tuple[str, ...]) -> bool:
        """Whether time alone may change the value of a fact."""
        if fact.derive is None or fact.key in path:
            return False
        if fact.derive[0] in (*TURNING, *_CLOCKS, *_URGED):
            return True
        names = inputs_of(fact, self.vocabulary)
        facts = (self.vocabulary.facts.get(name) for name in names)
        return any(f is not None and self._varies(f, (*path, fact.key)) for f in facts)

    def _turn(self, scope: str, place: int, regions: Regions) -> Turn | None:
        fact = regions.fact
        if fact.key not in self._varying and not (
            fact.type is Type.DATE and whole_numbers(regions)
        ):
            return None
        return Turn(scope, place, regions, self._wild(fact))

    def _wild(self, fact: Fact) -> bool:
        if fact.derive is None:
            return False
        if fact.derive[0] == "urge_result":
            return bool(fact.derive[1][1] != URGE_EXPIRY)
        if fact.derive[0] not in (*TURNING, "clock"):
            return fact.key in self._varying
        kind, argument = fact.derive
        if kind in TURNING and self.vocabulary.facts[source_of(kind, argument)].scope != fact.scope:
            return True
        return any(name in self._varying for name in inputs_of(fact, self.vocabulary))

    # --- days ----------------------------------------------------------------------------------

    def days(self, batch: Batch) -> TurningDays:
        """The days after the day of evaluation and within the horizon, for a derived batch."""
        clocks = self._clocks(batch)
        urged = list(self._urged(batch))
        out = TurningDays()
        for turn in self.turns:
            scope, derive = turn.scope, turn.regions.fact.derive
            moved = np.zeros(batch.table(scope).rows, dtype=bool)
            kind = derive[0] if derive is not None else ""
            found = list(self._thresholds(batch, turn))
            if kind == "clock" and derive is not None:
                found += clocks.get(derive[1], [])
            elif kind in _URGED:
                found += urged
            kept = [self._ahead(batch, scope, rows, days) for rows, days in found]
            for rows, _ in kept:
                moved[rows] = True
            if turn.wild:
                held = batch.table(scope).facts.get(turn.regions.fact.key)
                moved |= True if held is None else held.state != UNKNOWN
            nothing = np.zeros(0, dtype=np.int64)
            out.moved.append(moved)
            cases = [batch.cases(scope)[rows] for rows, _ in kept]
            out.cases.append(np.concatenate([nothing, *cases]))
            out.days.append(np.concatenate([nothing, *(days for _, days in kept)]))
        asked = {_clock_of(turn.regions.fact) for turn in self.turns}
        for name, listed in clocks.items():
            if name not in asked:
                scope = self.vocabulary.clocks[name].scope
                for rows, days in listed:
                    rows, days = self._ahead(batch, scope, rows, days)
                    out.unasked.append((batch.cases(scope)[rows], days))
        return out

    @staticmethod
    def _ahead(batch: Batch, scope: str, rows: Ints, days: Ints) -> Found:
        as_of = batch.as_of(scope)[rows]
        chosen = (days > as_of) & (days <= as_of + HORIZON.days)
        return rows[chosen], days[chosen]

    def _clocks(self, batch: Batch) -> dict[str, list[Found]]:
        """The day on which each clock will have run, if nothing else happens."""
        out: dict[str, list[Found]] = {}
        for held in (batch.started, batch.bounded):
            for name, (scope, start) in held.items():
                clock = self.vocabulary.clocks[name]
                out.setdefault(name, []).append(self._flips(batch, clock, scope, start))
        return out

    def _flips(self, batch: Batch, clock: Clock, scope: str, start: Column) -> Found:
        rows = np.flatnonzero(start.state == KNOWN)
        kinds = self.bulk.deducted_kinds(clock.deduct)
        in_time = self._runs_out(batch, scope, rows, start, clock.months, kinds)
        lasting = in_time < ENDLESS
        rows, in_time = rows[lasting], in_time[lasting]
        if self.bulk.rolls(clock):
            in_time = self.bulk.days.roll_forward(in_time)
        return rows, in_time + 1

    def _runs_out(
        self,
        batch: Batch,
        scope: str,
        rows: Ints,
        start: Column,
        months: int,
        kinds: frozenset[str],
    ) -> Ints:
        """The end of periods as time will leave it, not moved to a working day."""
        begin = start.values[rows]
        endless = np.full(len(rows), ENDLESS)
        base = self.bulk.days.add_months(begin, months)
        return batch.spans(kinds).sweep(batch.cases(scope)[rows], begin, base, endless)

    def _urged(self, batch: Batch) -> Iterator[Found]:
        """The day after the deadline of an urge order, as it stands and as stays will leave it."""
        fact = self.vocabulary.facts.get(URGE_EXPIRY)
        held = batch.columns.case.facts.get(URGE_EXPIRY)
        if fact is None or held is None:
            return
        rows = np.flatnonzero(held.state == KNOWN)
        yield rows, held.values[rows] + 1
        if fact.derive is None:
            return
        order, deadline = (batch.columns.case.facts.get(key) for key in fact.derive[1])
        if deadline is None:
            return
        rows = np.flatnonzero((held.state == KNOWN) & (deadline.state == KNOWN))
        since = np.zeros(len(rows), dtype=np.int64)
        if order is not None:
            since = np.where(order.state == KNOWN, order.values, 0)[rows]
        endless = np.full(len(rows), ENDLESS)
        until = batch.columns.as_of[rows] + HORIZON.days
        last = deadline.values[rows]
        put_off = batch.spans(STAY_KINDS).sweep(rows, since * 0, endless, until, (since, last))
        yield rows, last + put_off - ENDLESS + 1

    def _thresholds(self, batch: Batch, turn: Turn) -> Iterator[Found]:
        fact, numbers = turn.regions.fact, whole_numbers(turn.regions)
        if fact.type is Type.DATE:
            held = batch.table(turn.scope).facts.get(fact.key)
            if held is not None:
                rows = np.flatnonzero((held.state == KNOWN) & (held.values < _LAST_START))
                start = held.values[rows]
                for n in numbers:
                    yield rows, start + n + 1
                    yield rows, self.bulk.days.add_months(start, min(n, _MOST_MONTHS)) + 1
            return
        if fact.derive is None or fact.derive[0] not in TURNING:
            return
        kind, argument = fact.derive
        held = batch.table(turn.scope).facts.get(source_of(kind, argument))
        if held is None:
            return
        rows = np.flatnonzero(held.state == KNOWN)
        start = held.values[rows]
        for n in numbers:
            for k in (0, 1):
                if kind == "months_elapsed":
                    yield self._months_run(batch, turn.scope, rows, held, n + k, argument)
                else:
                    yield rows, (start - n + k if kind == "days_to" else start + n + k)

    def _months_run(
        self,
        batch: Batch,
        scope: str,
        rows: Ints,
        start: Column,
        months: int,
        argument: dict[str, str],
    ) -> Found:
        kinds = self.bulk.deducted_kinds(argument["deduct"])
        in_time = self._runs_out(batch, scope, rows, start, months, kinds)
        inclusive = self.bulk.parameters[argument["inclusive"].lstrip("$")]
        lasting = in_time < ENDLESS
        return rows[lasting], in_time[lasting] + (not inclusive)


def _clock_of(fact: Fact) -> str:
    """The clock that a fact says has run, if it does."""
    return str(fact.derive[1]) if fact.derive is not None and fact.derive[0] == "clock" else ""
