"""The kinds of derivation on columns: what ``decision.derivations`` says of one case, for all.

A compiled derivation takes a batch and returns a column of its scope. INVARIANT: a row that
is not marked odd holds the value that the derivation of that case alone gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eligibility.calendars import STAY_KINDS
from eligibility.docket.clocks import clock, clock_expiry, clock_start, deducted_days
from eligibility.docket.columns import KNOWN, NEVER, UNKNOWN, Column, Ints, States
from eligibility.docket.compute import (
    Compute,
    Unfit,
    dated,
    looked_up,
    made,
    on_shared_words,
    worded,
)
from eligibility.docket.courts import NO_COURT
from eligibility.docket.spans import ENDLESS
from eligibility.vocabulary.model import Type

if TYPE_CHECKING:
    from eligibility.docket.deriving import Batch, BulkDerivations

RESULTS = ("none", "pending", "completed", "failed")


def days_since(d: BulkDerivations, fact: str, scope: str) -> Compute:
    dated(d, fact)
    start_of = d.reader(fact, scope)

    def compute(batch: Batch) -> Column:
        start = start_of(batch)
        return made(batch.as_of(scope) - start.values, start.state)

    return compute


def days_to(d: BulkDerivations, fact: str, scope: str) -> Compute:
    dated(d, fact)
    end_of = d.reader(fact, scope)

    def compute(batch: Batch) -> Column:
        end = end_of(batch)
        return made(end.values - batch.as_of(scope), end.state)

    return compute


def days_between(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    dated(d, *facts)
    start_of, end_of = (d.reader(fact, scope) for fact in facts)

    def compute(batch: Batch) -> Column:
        start, end = start_of(batch), end_of(batch)
        known = (start.state == KNOWN) & (end.state == KNOWN)
        never = (start.state == NEVER) | (end.state == NEVER)
        batch.mark(scope, known & (end.values < start.values))
        return made(end.values - start.values, np.where(never, NEVER, known * KNOWN))

    return compute


def days_until_start(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    dated(d, *facts)
    start_of, end_of = d.reader(facts[0], scope), d.presumer(facts[1], scope)

    def compute(batch: Batch) -> Column:
        start, end = start_of(batch), end_of(batch)
        stop = _stop(end, batch.as_of(scope))
        return made(np.maximum(stop - start.values, 0), _of_start_and_end(start, end))

    return compute


def months_elapsed(d: BulkDerivations, spec: Mapping[str, str], scope: str) -> Compute:
    dated(d, spec["from"], spec["to"])
    start_of, end_of = d.reader(spec["from"], scope), d.presumer(spec["to"], scope)
    kinds = d.deducted_kinds("$" + spec["deduct"].lstrip("$"))
    inclusive = bool(d.parameters[spec["inclusive"].lstrip("$")])

    def compute(batch: Batch) -> Column:
        start, end = start_of(batch), end_of(batch)
        last = _stop(end, batch.as_of(scope)) - (not inclusive)
        state = _of_start_and_end(start, end)
        months = np.zeros(len(last), dtype=np.int64)
        rows = np.flatnonzero((state == KNOWN) & (last > start.values))
        begin, last = start.values[rows], last[rows]
        endless = np.full(len(rows), ENDLESS)
        spans = batch.spans(kinds)
        last = last - (spans.sweep(batch.cases(scope)[rows], begin, endless, last) - ENDLESS)
        months[rows] = d.days.months_between(begin, last)
        return made(months, state)

    return compute


def _stop(end: Column, as_of: Ints) -> Ints:
    """The day up to which something is counted: the end, not after the day of evaluation."""
    out: Ints = np.where(end.state == KNOWN, np.minimum(end.values, as_of), as_of)
    return out


def _of_start_and_end(start: Column, end: Column) -> States:
    known = np.where(end.state == UNKNOWN, UNKNOWN, KNOWN)
    out: States = np.where(start.state == KNOWN, known, start.state).astype(np.uint8)
    return out


# --- courts -----------------------------------------------------------------------------------


def differs(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    worded(d, *facts)
    one_of, other_of = (d.reader(fact, scope) for fact in facts)

    def compute(batch: Batch) -> Column:
        one, other = one_of(batch), other_of(batch)
        ones, others = d.courts.identities(one.words, other.words)
        unlike = looked_up(ones, one.values) != looked_up(others, other.values)
        return made(unlike, ((one.state == KNOWN) & (other.state == KNOWN)) * KNOWN)

    return compute


def member(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    worded(d, *facts)
    if d.vocabulary.facts[facts[0]].many or not d.vocabulary.facts[facts[1]].many:
        raise Unfit(facts[0])
    item_of, group_of = (d.reader(fact, scope) for fact in facts)

    def compute(batch: Batch) -> Column:
        item, group = item_of(batch), group_of(batch)
        sizes = np.array([len(words) for words in group.words], dtype=np.int64)
        flat = [word for words in group.words for word in words]
        items, members = d.courts.identities(item.words, flat)
        empty = (group.state == KNOWN) & (looked_up(sizes, group.values) == 0)
        known = (item.state == KNOWN) & (group.state == KNOWN) & ~empty
        rows = np.flatnonzero(known)
        inside = np.zeros(len(known), dtype=bool)
        if rows.size:
            starts = np.cumsum(sizes) - sizes
            groups = group.values[rows]
            many = sizes[groups]
            first = np.cumsum(many) - many
            at = np.arange(many.sum()) + np.repeat(starts[groups] - first, many)
            same = members[at] == np.repeat(items[item.values[rows]], many)
            inside[rows] = np.logical_or.reduceat(same, first)
        return made(inside, (known | empty) * KNOWN)

    return compute


def court_may_decide(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    """A superior of the executing court, and of the proposed receiving court or it itself."""
    worded(d, *facts)
    readers = [d.reader(fact, scope) for fact in facts]

    def compute(batch: Batch) -> Column:
        columns = [reader(batch) for reader in readers]
        decider, court, target = (_courts(d, column) for column in columns)
        asked = (decider != NO_COURT) & (court != NO_COURT)
        above = d.courts.commands(decider, court)
        proposed = columns[2].state == KNOWN
        may = above & (~proposed | (decider == target) | d.courts.commands(decider, target))
        unclear = above & proposed & (target == NO_COURT)
        return made(may, (asked & ~unclear) * KNOWN)

    return compute


def _courts(d: BulkDerivations, column: Column) -> Ints:
    numbers = looked_up(d.courts.numbers(column.words), column.values)
    out: Ints = np.where(column.state == KNOWN, numbers, NO_COURT)
    return out


def objection_court(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    """Who examines an objection: the court in charge when it is raised."""
    worded(d, *facts[:2])
    dated(d, facts[2])
    readers = [d.reader(fact, scope) for fact in facts]

    def compute(batch: Batch) -> Column:
        original, receiving, handed_over = (reader(batch) for reader in readers)
        keeps = d.courts.commands(_courts(d, original), _courts(d, receiving))
        keeps |= handed_over.state == NEVER
        one, other, words = on_shared_words(original, receiving)
        state = np.where(keeps, original.state, receiving.state)
        state = np.where(handed_over.state == UNKNOWN, UNKNOWN, state)
        return made(np.where(keeps, one, other), state, words)

    return compute


def profile_of_court(d: BulkDerivations, fact: str, scope: str) -> Compute:
    worded(d, fact)
    court_of = d.reader(fact, scope)
    known = tuple(d.vocabulary.facts["jurisdiction_profile"].values)
    listed = [known.index(c.profile) if c.profile in known else -1 for c in d.courts.courts]
    profiles = np.array([*listed, -1], dtype=np.int64)  # the last is that of no court

    def compute(batch: Batch) -> Column:
        found = profiles[_courts(d, court_of(batch))]
        return made(found, (found >= 0) * KNOWN, known)

    return compute


# --- urge orders ------------------------------------------------------------------------------


def urge_expiry(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    dated(d, *facts)
    order_of, deadline_of = (d.reader(fact, scope) for fact in facts)

    def compute(batch: Batch) -> Column:
        order, deadline = order_of(batch), deadline_of(batch)
        rows = np.flatnonzero(deadline.state == KNOWN)
        since = np.where(order.state == KNOWN, order.values, 0)[rows]
        endless = np.full(len(rows), ENDLESS)
        put_off = batch.spans(STAY_KINDS).sweep(
            batch.cases(scope)[rows],
            np.zeros(len(rows), dtype=np.int64),
            endless,
            batch.as_of(scope)[rows],
            (since, deadline.values[rows]),
        )
        values = deadline.values.copy()
        values[rows] += put_off - ENDLESS
        return made(values, deadline.state)

    return compute


def urge_result(d: BulkDerivations, facts: list[str], scope: str) -> Compute:
    """``none``, ``pending``, ``completed``, or ``failed`` if anything is unfinished (L21)."""
    dated(d, *facts[:2])
    if d.vocabulary.facts[facts[2]].type is not Type.BOOL:
        raise Unfit(facts[2])
    readers = [d.reader(fact, scope) for fact in facts]
    none, pending, completed, failed = range(len(RESULTS))

    def compute(batch: Batch) -> Column:
        order, expiry, done = (reader(batch) for reader in readers)
        nothing = (expiry.state == NEVER) | ((expiry.state == UNKNOWN) & (order.state == NEVER))
        known, told = expiry.state == KNOWN, done.state == KNOWN
        finished = told & (done.values != 0)
        runs = batch.as_of(scope) <= expiry.values
        value = np.where(finished, completed, np.where(runs, pending, failed))
        value = np.where(nothing, none, value)
        return made(value, (nothing | (known & (told | runs))) * KNOWN, RESULTS)

    return compute


KINDS: Mapping[str, Callable[[BulkDerivations, Any, str], Compute]] = {
    "days_since": days_since,
    "days_to": days_to,
    "days_between": days_between,
    "days_until_start": days_until_start,
    "months_elapsed": months_elapsed,
    "differs": differs,
    "member": member,
    "clock": clock,
    "clock_start": clock_start,
    "clock_expiry": clock_expiry,
    "deducted_days": deducted_days,
    "urge_expiry": urge_expiry,
    "urge_result": urge_result,
    "court_may_decide": court_may_decide,
    "profile_of_court": profile_of_court,
    "objection_court": objection_court,
}
