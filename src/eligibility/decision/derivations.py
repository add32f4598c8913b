"""The kinds of derivation that a fact dictionary may use, each compiled to a function.

A compiled derivation takes the run and the store of its record (or of the case) and
returns a typed value, NONE, or None for unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from eligibility.calendars import urge_expiry as extended_deadline
from eligibility.errors import Problem, Text
from eligibility.vocabulary.model import CASE, NONE, Clock

if TYPE_CHECKING:
    from eligibility.decision.derive import Derivations, Run

Store = dict[str, Any]
Compute = Callable[["Run", Store], Any]


def days_since(d: Derivations, fact: str, scope: str) -> Compute:
    start_of = d.reader(fact, scope)

    def compute(run: Run, store: Store) -> Any:
        start = start_of(run, store)
        return start if start is None or start is NONE else (run.as_of - start).days

    return compute


def days_to(d: Derivations, fact: str, scope: str) -> Compute:
    end_of = d.reader(fact, scope)

    def compute(run: Run, store: Store) -> Any:
        end = end_of(run, store)
        return end if end is None or end is NONE else (end - run.as_of).days

    return compute


def days_between(d: Derivations, facts: list[str], scope: str) -> Compute:
    start_of, end_of = (d.reader(fact, scope) for fact in facts)
    label = d.vocabulary.facts[facts[0]].label
    problem = Problem(
        "dates_out_of_order", Text(f"早于“{label.zh}”", f"is before '{facts[0]}'"), facts[1]
    )

    def compute(run: Run, store: Store) -> Any:
        start, end = start_of(run, store), end_of(run, store)
        if start is NONE or end is NONE:
            return NONE
        if start is None or end is None:
            return None
        if end < start:
            run.problems.append(problem)
            return None
        return (end - start).days

    return compute


def days_until_start(d: Derivations, facts: list[str], scope: str) -> Compute:
    start_of, end_of = d.reader(facts[0], scope), d.presumer(facts[1], scope)

    def compute(run: Run, store: Store) -> Any:
        start = start_of(run, store)
        if start is None or start is NONE:
            return start
        end = end_of(run, store)
        if end is None:
            return None
        stop = run.as_of if end is NONE or end > run.as_of else end
        return max((stop - start).days, 0)

    return compute


def months_elapsed(d: Derivations, spec: Mapping[str, str], scope: str) -> Compute:
    start_of, end_of = d.reader(spec["from"], scope), d.presumer(spec["to"], scope)
    kinds = d.deducted_kinds("$" + spec["deduct"].lstrip("$"))
    inclusive = bool(d.parameters[spec["inclusive"].lstrip("$")])

    def compute(run: Run, store: Store) -> Any:
        start = start_of(run, store)
        if start is None or start is NONE:
            return start
        end = end_of(run, store)
        if end is None:
            return None
        stop = run.as_of if end is NONE or end > run.as_of else end
        return run.deductions(kinds).full_months(start, max(stop, start), inclusive)

    return compute


def differs(d: Derivations, facts: list[str], scope: str) -> Compute:
    one_of, other_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        one, other = one_of(run, store), other_of(run, store)
        if one is None or other is None:
            return None
        a, b = d.register.find(one), d.register.find(other)
        return a is not b if a and b else one != other

    return compute


def member(d: Derivations, facts: list[str], scope: str) -> Compute:
    item_of, group_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        item, group = item_of(run, store), group_of(run, store)
        if group is not None and not group:
            return False
        if item is None or group is None:
            return None
        court = d.register.find(item)
        return item in group or (
            court is not None and any(d.register.find(g) is court for g in group)
        )

    return compute


# --- clocks -----------------------------------------------------------------------------------


def clock(d: Derivations, name: str, scope: str) -> Compute:
    """Whether the clock has run; a clock whose start never happened has not."""
    made = d.vocabulary.clocks[name]
    own_of, start_of = d.reader(made.start, scope), _start(d, made, scope)
    kinds, calendar = d.deducted_kinds(made.deduct), d.rollover(made)
    earlier_of = _start(d, d.vocabulary.clocks[made.not_before], CASE) if made.not_before else None

    def compute(run: Run, store: Store) -> Any:
        own = own_of(run, store)
        if own is NONE:
            return False
        start = start_of(run, store)
        if start is not None and start is not NONE:
            run.started[made.name, run.index] = start
            return run.deductions(kinds).exceeded(start, made.months, run.as_of, calendar)
        if earlier_of is None:
            return None
        # The later of two days: if the clock of one alone has not run, neither has this.
        known = own if own is not None else earlier_of(run, run.facts)
        if known is None or known is NONE:
            return None
        run.bounded[made.name, run.index] = known
        ran = run.deductions(kinds).exceeded(known, made.months, run.as_of, calendar)
        return None if ran else False

    return compute


def _start(d: Derivations, made: Clock, scope: str) -> Compute:
    """The day a clock starts: after a transfer anew, if that is the policy (L42)."""
    own_of = d.reader(made.start, scope)
    earlier_of = _start(d, d.vocabulary.clocks[made.not_before], CASE) if made.not_before else None
    transfer = made.after_transfer
    restarts = transfer is not None and d.parameters[transfer["policy"]] == "restart"
    count_of = d.presumer(transfer["count"], scope) if transfer and restarts else None
    filed_of = d.presumer(transfer["filed"], scope) if transfer and restarts else None

    def compute(run: Run, store: Store) -> Any:
        start = own_of(run, store)
        if count_of is not None and filed_of is not None and count_of(run, store):
            filed = filed_of(run, store)
            return start if filed is NONE else filed
        if earlier_of is not None and start is not None and start is not NONE:
            earlier = earlier_of(run, run.facts)
            return None if earlier is None else max(start, earlier)
        return start

    return compute


def clock_start(d: Derivations, name: str, scope: str) -> Compute:
    start_of = _start(d, d.vocabulary.clocks[name], scope)

    def compute(run: Run, store: Store) -> Any:
        start = start_of(run, store)
        return None if start is NONE else start

    return compute


def clock_expiry(d: Derivations, name: str, scope: str) -> Compute:
    return _of_clock(d, name, scope, "expires")


def deducted_days(d: Derivations, name: str, scope: str) -> Compute:
    return _of_clock(d, name, scope, "deducted_days")


def _of_clock(d: Derivations, name: str, scope: str, field: str) -> Compute:
    made = d.vocabulary.clocks[name]
    start_of = _start(d, made, scope)

    def compute(run: Run, store: Store) -> Any:
        start = start_of(run, store)
        if start is None or start is NONE:
            return None
        return getattr(d.read_clock(run, made, start), field)

    return compute


# --- urge orders ------------------------------------------------------------------------------


def urge_expiry(d: Derivations, facts: list[str], scope: str) -> Compute:
    order_of, deadline_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        order, deadline = order_of(run, store), deadline_of(run, store)
        if deadline is None or deadline is NONE:
            return deadline
        run.rests_on_intervals()
        begin = order if isinstance(order, date) else None
        return extended_deadline(begin, deadline, run.intervals, run.as_of)

    return compute


def urge_result(d: Derivations, facts: list[str], scope: str) -> Compute:
    """``none``, ``pending``, ``completed``, or ``failed`` if anything is unfinished (L21)."""
    order_of, expiry_of, completed_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        order, expiry = order_of(run, store), expiry_of(run, store)
        if expiry is NONE or (expiry is None and order is NONE):
            return "none"
        if expiry is None:
            return None
        completed = completed_of(run, store)
        if completed is True:
            return "completed"
        if run.as_of <= expiry:
            return "pending"
        return "failed" if completed is False else None

    return compute


# --- courts -----------------------------------------------------------------------------------


def court_may_decide(d: Derivations, facts: list[str], scope: str) -> Compute:
    """A superior of the executing court, and of the proposed receiving court or it itself.

    A higher court may instruct only courts of its own jurisdiction (执行程序解释 11).
    """
    asked_of, executing_of, receiving_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        decider, court = (
            d.register.find(asked_of(run, store)),
            d.register.find(executing_of(run, store)),
        )
        if decider is None or court is None:
            return None
        if not d.register.commands(decider, court):
            return False
        receiving = receiving_of(run, store)
        if receiving is None:
            return True
        target = d.register.find(receiving)
        if target is None:
            return None
        return decider is target or d.register.commands(decider, target)

    return compute


def objection_court(d: Derivations, facts: list[str], scope: str) -> Compute:
    """Who examines an objection: the court in charge when it is raised (异议复议规定 4).

    A designated court that is an inferior of the original one leaves it to that court.
    """
    original_of, receiving_of, handed_over_of = (d.reader(fact, scope) for fact in facts)

    def compute(run: Run, store: Store) -> Any:
        original, handed_over = original_of(run, store), handed_over_of(run, store)
        if handed_over is None or handed_over is NONE:
            return original if handed_over is NONE else None
        receiving = receiving_of(run, store)
        one, other = d.register.find(original), d.register.find(receiving)
        if one is not None and other is not None and d.register.commands(one, other):
            return original
        return receiving

    return compute


def profile_of_court(d: Derivations, fact: str, scope: str) -> Compute:
    court_of = d.reader(fact, scope)
    known = d.vocabulary.facts["jurisdiction_profile"].values

    def compute(run: Run, store: Store) -> Any:
        court = d.register.find(court_of(run, store))
        return court.profile if court is not None and court.profile in known else None

    return compute


KINDS: Mapping[str, Callable[[Derivations, Any, str], Compute]] = {
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
