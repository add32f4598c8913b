"""The first day on which the outcome changes by the mere passing of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from eligibility.calendars import add_months, urge_expiry
from eligibility.decision.assess import Assessment, assessed
from eligibility.decision.program import Programs
from eligibility.decision.turning import Turning
from eligibility.errors import FactsError
from eligibility.vocabulary.model import CASE
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
    run = derived.run
    clocks = run.derivations.vocabulary.clocks
    for (name, _), start in (*run.started.items(), *run.bounded.items()):
        flips_on = run.derivations.read_clock(run, clocks[name], start).flips_on
        if flips_on is not None:
            yield flips_on
    law = programs.next_law_date(derived.as_of)
    if law is not None:
        yield law
    yield from _urge_ends(assessment)
    for turning in assessment.program.turning:
        scope = turning.fact.scope
        count = 1 if scope == CASE else len(derived.records.get(scope, ()))
        for index in range(count):
            yield from _turns(assessment, turning, index)


def _urge_ends(assessment: Assessment) -> Iterator[date]:
    """The day after the deadline of an urge order, as it stands and as stays will leave it."""
    derived = assessment.derived
    fact = derived.run.derivations.vocabulary.facts.get("urge_expiry")
    expiry = derived.facts.get("urge_expiry")
    if not isinstance(expiry, date):
        return
    yield expiry + timedelta(days=1)
    if fact is None or fact.derive is None or "urge_expiry" in assessment.case.facts:
        return
    order, deadline = (derived.facts.get(key) for key in fact.derive[1])
    if isinstance(deadline, date):
        begin = order if isinstance(order, date) else None
        last = derived.as_of + HORIZON
        yield urge_expiry(begin, deadline, derived.run.intervals, last) + timedelta(days=1)


def _turns(assessment: Assessment, turning: Turning, index: int) -> Iterator[date]:
    start = assessment.derived.value(turning.fact.scope, index, turning.source)
    if not isinstance(start, date):
        return
    numbers = turning.numbers
    if turning.kind == "date":
        yield from (d for n in numbers for d in _after(start, n))
    elif turning.kind == "months_elapsed":
        yield from _months_run(assessment, turning.argument, start, numbers)
    elif turning.kind == "days_to":
        yield from (start - timedelta(days=n - k) for n in numbers for k in (0, 1))
    else:
        yield from (start + timedelta(days=n + k) for n in numbers for k in (0, 1))


def _months_run(
    assessment: Assessment, argument: dict[str, str], start: date, numbers: Sequence[int]
) -> Iterator[date]:
    """The days on which so many months, deductions included, have run."""
    run = assessment.derived.run
    derivations = run.derivations
    deductions = run.deductions(derivations.deducted_kinds(argument["deduct"]))
    inclusive = derivations.parameters[argument["inclusive"].lstrip("$")]
    for months in {n + k for n in numbers for k in (0, 1)}:
        exceeded_on = deductions.clock(start, months, run.as_of, None).flips_on
        if exceeded_on is not None:
            yield exceeded_on - timedelta(days=1) if inclusive else exceeded_on


def _after(start: date, n: int) -> Iterator[date]:
    if start < LAST_DAY - HORIZON:
        yield start + timedelta(days=n + 1)
        yield add_months(start, min(n, 600)) + timedelta(days=1)
