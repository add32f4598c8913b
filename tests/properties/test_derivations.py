"""Derived facts against the same facts worked out day by day."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eligibility.calendars import STATUTORY_KINDS, Interval, WorkingCalendar, run_clock
from eligibility.decision.derive import derive
from eligibility.errors import FactsError
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.payload import Case, read_case
from oracle.derivations import Deriver, last_day, open_day, stopped_days
from oracle.generate import DAYS, CaseWriter

pytestmark = pytest.mark.slow

POLICIES = [
    {},
    {"clock_after_transfer": "continue", "holiday_rollover": False, "undisposed_inclusive": False},
    {"local_clock_policy": "suspension_only", "undisposed_deduct": "none"},
    {"local_clock_policy": "none", "auction_notice_counts": True},
]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_derived_fact_of_the_shipped_dictionary(
    shipped: Rulebase, policy: dict[str, object]
) -> None:
    """All derived facts of 300 cases under each reading of what the sources leave open."""
    compared = 0
    for number, day in enumerate(DAYS):
        writer = CaseWriter(shipped, Random(number), day)
        parameters = {k: shipped.parameter(k, "national", day) for k in shipped.parameters}
        for case in _cases(writer, 75):
            try:
                derived = derive(case, shipped, parameters | policy, day)
            except FactsError:
                continue
            slow = Deriver(shipped, parameters | policy, case, day)
            for fact in shipped.vocabulary.facts.values():
                count = len(derived.records.get(fact.scope, [])) if fact.scope != "case" else 1
                if fact.derive is None or fact.scope not in shipped.vocabulary.payload_scopes():
                    continue
                for index in range(count):
                    fast = derived.value(fact.scope, index, fact.key)
                    assert fast == slow.fact(fact.key, index), (fact.key, index, case)
                    compared += 1
    assert compared > 4_000


def _cases(writer: CaseWriter, count: int) -> list[Case]:
    """Cases that give no derived fact themselves: what is derived is what is compared."""
    facts = writer.vocabulary.facts
    found = []
    for _ in range(count):
        payload = writer.payload()
        for store in (payload, *payload.get("properties", []), *payload.get("debtors", [])):
            for key in [k for k in store if k in facts and facts[k].derive is not None]:
                del store[key]
        found.append(read_case(payload, writer.vocabulary, writer.as_of))
    return found


dates = st.dates(date(2022, 1, 31), DAYS[3])
intervals = st.builds(
    lambda kind, start, days, paper, guarantee, stated: Interval(
        kind,
        start,
        None if days is None else start + timedelta(days=days),
        paper,
        stated,
        guarantee,
    ),
    st.sampled_from(["deferral", "suspension", "appraisal", "other"]),
    dates,
    st.none() | st.integers(0, 120),
    st.sampled_from(["（2024）1号", "", None]),
    st.booleans(),
    st.none() | dates,
)
calendar = WorkingCalendar(
    {2024: (frozenset({DAYS[0], DAYS[1]}), frozenset({DAYS[0].replace(month=9, day=14)}))}
)


@settings(max_examples=250, deadline=None)
@given(dates, st.integers(0, 14), st.lists(intervals, max_size=4), st.integers(0, 900))
def test_a_clock_is_the_days_counted_one_by_one(
    start: date, months: int, stays: list[Interval], later: int
) -> None:
    as_of = start + timedelta(days=later)
    read = run_clock(start, months, as_of, stays, STATUTORY_KINDS, calendar)
    stopped = stopped_days(stays, STATUTORY_KINDS, as_of)
    assert read.nominal == last_day(start, months, stopped)
    assert read.expires == open_day(read.nominal, calendar)
    assert read.exceeded == (as_of > read.expires)
