"""What follows a decision, as data: events, duties, the ladder when one lapses.

A duty says who must do what by when, counted from which event, what fulfils it, and which
instruments follow in turn when it is not. Days may be parameters (:class:`Param`), so that
no number that a source leaves open is hidden in a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eligibility.errors import EMPTY, NOWHERE, Span, Text
from eligibility.rulebase.conditions import Condition, Param

Count = int | Param


@dataclass(frozen=True, slots=True)
class EventType:
    """Something that happens to a case after a decision, and what it makes known.

    ``day``: facts that hold its day (the first is set by the event; any of them, where a
    case has it already, stands for the event). ``facts``: what an event may carry;
    ``sets``: what it makes so; ``begins``/``ends``: the kinds of interval it starts or stops.
    ``transfers``: from then on the receiving court is the executing court. ``contingent``:
    it may never happen.
    """

    name: str
    label: Text
    day: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    sets: Mapping[str, Any] = field(default_factory=dict)
    begins: str = ""
    ends: tuple[str, ...] = ()
    transfers: bool = False
    contingent: bool = False
    note: Text = EMPTY
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Role:
    """Who owes a duty; ``court`` is the fact that names that court in a case.

    Where the case does not say, it is the next-higher court of the one in ``superior_of``.
    """

    name: str
    label: Text
    court: str
    superior_of: str = ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a court is sent when a duty lapses; ``formal`` ones make it lapsed, not just late."""

    name: str
    label: Text
    formal: bool = True
    issued_by: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of a ladder, reached ``after`` days past the due date (1 = the day after)."""

    after: Count
    instrument: str


@dataclass(frozen=True, slots=True)
class Due:
    """A time limit: ``count`` units after the starting event, or after the date in a fact.

    ``before``: that long *before* the date. ``rolls``: the last day moves to a working day
    (民诉法85).
    """

    count: Count
    unit: str = "day"
    of: str = ""
    before: bool = False
    rolls: bool = True


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty of a ``require`` rule.

    It starts on each event of ``starts_on``, with the decision itself (``on_decision``),
    where a rule of ``on_verdict`` holds, or when a duty of the rules ``on_lapse_of`` reaches
    the end of its ladder. ``when`` must hold on that day. ``done_by`` fulfils it;
    ``ended_by`` makes it fall away, late or not (one counted back: until due).
    ``earlier_counts``: what was done before the start counts. ``each``: one duty for each
    record of this kind.
    """

    key: str
    who: str
    what: Text
    due: Due | None = None
    when: Condition | None = None
    starts_on: tuple[str, ...] = ()
    on_decision: bool = False
    on_verdict: tuple[str, ...] = ()
    on_lapse_of: tuple[str, ...] = ()
    done_by: tuple[str, ...] = ()
    ended_by: tuple[str, ...] = ()
    earlier_counts: bool = False
    each: str = ""
    ladder: tuple[Rung, ...] = ()
    span: Span = NOWHERE
