"""The first day on which the outcome changes by the mere passing of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from eligibility.calendars import add_months
from eligibility.circuit.regions import Regions
from eligibility.decision.assess import Assessment, assessed
from eligibility.decision.program import Programs
from eligibility.errors import FactsError
from eligibility.vocabulary.model import CASE, NONE
from eligibility.vocabulary.values import LAST_DAY

HORIZON = timedelta(days=3660)
MOST = 60


def changes_on(assessment: Assessment, programs: Programs) -> dict[str, Any] | None:
    """``{date, outcome, possible_outcomes}``, or None if time alone changes nothing."""
    now = assessment.outcomes
    as_of = assessment.derived.as_of
    profile = assessment.program.lowered.profile
    days = sorted({d for d in _candidates(assessment, programs) if as_of < d <= as_of + HORIZON})
    before = assessment.program, assessment.reading
    for day in days[:MOST]:
        program = programs.at(profile, day)
        try:
            derived = program.derive(assessment.case, day)
            reading = program.read(derived)
            if (program, reading) == before:
                continue  # the outcome is a function of the two
            then = assessed(program, assessment.case, derived, reading, "native")
        except FactsError:
            continue
        before = program, reading
        if then.outcomes != now:
            return {
                "date": day.isoformat(),
                "outcome": then.outcome,
                "possible_outcomes": list(then.outcomes),
            }
    return None


def _candidates(assessment: Assessment, programs: Programs) -> Iterator[date]:
    """Days on which some region of some fact may change."""
    derived = assessment.derived
    for running in derived.clocks:
        if running.result.flips_on is not None:
            yield running.result.flips_on
    law = programs.next_law_date(derived.as_of)
    if law is not None:
        yield law
    expiry = derived.facts.get("urge_expiry")
    if isinstance(expiry, date):
        yield expiry + timedelta(days=1)
    lowered = assessment.program.lowered
    for regions in lowered.regions:
        if regions is not None:
            yield from _turns(assessment, regions, CASE, 0)
    for scope, found in lowered.record_regions.items():
        for index in range(len(derived.records.get(scope, ()))):
            for regions in found:
                yield from _turns(assessment, regions, scope, index)


def _turns(assessment: Assessment, regions: Regions, scope: str, index: int) -> Iterator[date]:
    fact = regions.fact
    numbers = [x for _, x in regions.tests if isinstance(x, int) and not isinstance(x, bool)]
    if fact.type == "date":
        start = assessment.derived.value(scope, index, fact.key)
        if isinstance(start, date):
            yield from (d for n in numbers for d in _after(start, n))
        return
    if fact.derive is None or fact.derive[0] not in (
        "days_since",
        "days_until_start",
        "months_elapsed",
    ):
        return
    kind, argument = fact.derive
    source = argument["from"] if kind == "months_elapsed" else argument
    source = source[0] if isinstance(source, list) else source
    start = assessment.derived.value(scope, index, source)
    if start is None or start is NONE:
        return
    if kind == "months_elapsed":
        deducted = sum(
            ((i.end or assessment.derived.as_of) - i.start).days
            for i in assessment.case.intervals or ()
        )
        for n in numbers:
            first = add_months(start, n)
            yield from (first + timedelta(days=k) for k in (0, 1, deducted, deducted + 1))
    else:
        yield from (start + timedelta(days=n + k) for n in numbers for k in (0, 1))


def _after(start: date, n: int) -> Iterator[date]:
    if start < LAST_DAY - HORIZON:
        yield start + timedelta(days=n + 1)
        yield add_months(start, min(n, 600)) + timedelta(days=1)
