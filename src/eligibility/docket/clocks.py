"""Statutory clocks on columns: when each of many began, whether it has run, when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eligibility.docket.columns import KNOWN, NEVER, Bits, Column, Ints
from eligibility.docket.compute import Compute, dated, made
from eligibility.vocabulary.model import CASE, Clock

if TYPE_CHECKING:
    from eligibility.docket.deriving import Batch, BulkDerivations


def clock(d: BulkDerivations, name: str, scope: str) -> Compute:
    """Whether the clock has run; a clock whose start never happened has not."""
    running = d.vocabulary.clocks[name]
    own_of, start_of = d.reader(running.start, scope), _start(d, running, scope)
    earlier_of = _earlier(d, running, scope)

    def compute(batch: Batch) -> Column:
        own, start = own_of(batch), start_of(batch)
        never, known = own.state == NEVER, (start.state == KNOWN) & (own.state != NEVER)
        batch.started[name] = (scope, made(start.values, known * KNOWN))
        if earlier_of is None:
            ran = _exceeded(d, batch, running, scope, made(start.values, known * KNOWN))
            return made(ran, (never | known) * KNOWN)
        # The later of two days: if the clock of one alone has not run, neither has this.
        earlier, open_ = earlier_of(batch), ~never & ~known
        own_known = own.state == KNOWN
        day = np.where(known, start.values, np.where(own_known, own.values, earlier.values))
        have = known | (open_ & (own_known | (earlier.state == KNOWN)))
        batch.bounded[name] = (scope, made(day, (have & ~known) * KNOWN))
        ran = _exceeded(d, batch, running, scope, made(day, have * KNOWN))
        return made(ran, (never | known | (have & ~ran)) * KNOWN)

    return compute


def _exceeded(d: BulkDerivations, batch: Batch, running: Clock, scope: str, start: Column) -> Bits:
    """Whether each clock has run. Deductions only put an expiry off: most end at the base."""
    base = d.days.add_months(start.values, running.months)
    as_of = batch.as_of(scope)
    ran: Bits = (start.state == KNOWN) & (as_of > base)
    rows = np.flatnonzero(ran)
    end = batch.spans(d.deducted_kinds(running.deduct)).sweep(
        batch.cases(scope)[rows], start.values[rows], base[rows], as_of[rows]
    )
    if d.rolls(running):
        end = d.days.roll_forward(end)
    ran[rows] = as_of[rows] > end
    return ran


def _earlier(d: BulkDerivations, running: Clock, scope: str) -> Compute | None:
    """The start of the clock that this one cannot precede, seen from its scope."""
    if not running.not_before:
        return None
    earlier_of = _start(d, d.vocabulary.clocks[running.not_before], CASE)
    return lambda batch: batch.spread(earlier_of(batch), scope)


def _start(d: BulkDerivations, running: Clock, scope: str) -> Compute:
    """The day a clock starts: after a transfer anew, if that is the policy (L42)."""
    dated(d, running.start)
    own_of, earlier_of = d.reader(running.start, scope), _earlier(d, running, scope)
    transfer = running.after_transfer
    restarts = transfer is not None and d.parameters[transfer["policy"]] == "restart"
    if transfer is not None and restarts:
        dated(d, transfer["filed"])
    count_of = d.presumer(transfer["count"], scope) if transfer and restarts else None
    filed_of = d.presumer(transfer["filed"], scope) if transfer and restarts else None

    def compute(batch: Batch) -> Column:
        own = own_of(batch)
        values, state = own.values, own.state
        never_earlier = np.zeros(len(values), dtype=bool)
        if earlier_of is not None:
            earlier, known = earlier_of(batch), own.state == KNOWN
            values = np.maximum(values, earlier.values)
            state = np.where(known, earlier.state, state)
            never_earlier = known & (earlier.state == NEVER)
        if count_of is not None and filed_of is not None:
            count, filed = count_of(batch), filed_of(batch)
            moved = (count.state == NEVER) | (count.values != 0)
            stays = moved & (filed.state == NEVER)
            values = np.where(moved, filed.values, values)
            values = np.where(stays, own.values, values)
            state = np.where(moved, filed.state, state)
            state = np.where(stays, own.state, state)
            never_earlier &= ~moved
        batch.mark(scope, never_earlier)
        return made(values, state)

    return compute


def clock_start(d: BulkDerivations, name: str, scope: str) -> Compute:
    start_of = _start(d, d.vocabulary.clocks[name], scope)

    def compute(batch: Batch) -> Column:
        start = start_of(batch)
        return made(start.values, (start.state == KNOWN) * KNOWN)

    return compute


def clock_expiry(d: BulkDerivations, name: str, scope: str) -> Compute:
    """The last day of the period, deductions and roll-over included."""
    running = d.vocabulary.clocks[name]
    start_of = _start(d, running, scope)

    def compute(batch: Batch) -> Column:
        start = start_of(batch)
        end = _nominal(d, batch, running, scope, start)[1]
        expires = d.days.roll_forward(end) if d.rolls(running) else end
        return made(expires, (start.state == KNOWN) * KNOWN)

    return compute


def deducted_days(d: BulkDerivations, name: str, scope: str) -> Compute:
    running = d.vocabulary.clocks[name]
    start_of = _start(d, running, scope)

    def compute(batch: Batch) -> Column:
        start = start_of(batch)
        base, end = _nominal(d, batch, running, scope, start)
        return made(end - base, (start.state == KNOWN) * KNOWN)

    return compute


def _nominal(
    d: BulkDerivations, batch: Batch, running: Clock, scope: str, start: Column
) -> tuple[Ints, Ints]:
    """The end of each period without and with what is deducted."""
    base = d.days.add_months(start.values, running.months)
    spans = batch.spans(d.deducted_kinds(running.deduct))
    return base, spans.sweep(batch.cases(scope), start.values, base, batch.as_of(scope))
