"""The duties that follow decisions: who owes what, since when, by when, and what was done.

A duty comes into being on a day: that of the decision, of an event, or of the lapse of
another duty. Whether it does is settled by the facts as they stood on that day, so that
neither later events nor the passing of time create or destroy it; only its state changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, cached_property
from typing import Any, Literal

from eligibility.calendars import STAY_KINDS
from eligibility.decision.derive import Known
from eligibility.decision.due import Course, DueDate, State, due_date, number, state
from eligibility.decision.events import Event, case_after
from eligibility.decision.law import Sign
from eligibility.decision.standpoint import Ground, Met, Standpoint
from eligibility.rulebase.duties import Due, Duty
from eligibility.rulebase.model import Court, Rule, Rulebase
from eligibility.vocabulary.model import CASE, NONE
from eligibility.vocabulary.payload import Case

ROLLOVER = "holiday_rollover"
HANDOVER = "handover_days"
NOBODY = (None, "")
_ONE: Sequence[int | None] = (None,)
_UNNAMED = ("decision:", "verdict:")  # what the start of a duty by a decision without an id ends in
Kind = Literal["event", "decision", "verdict", "lapse", "none"]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event, or what the facts of a decision say in the place of one.

    ``by``: it happened on this day or before it; the facts do not say when.
    """

    id: str
    type: str
    on: date
    records: Mapping[str, int] = field(default_factory=dict)
    answers: str = ""
    by: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """What a duty started from; ``on`` is None where that has not happened."""

    kind: Kind
    id: str
    on: date | None = None
    what: str = ""
    records: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the ladder of one duty, with the day on which it is reached."""

    on: date
    after: int
    instrument: str


@dataclass(frozen=True, slots=True)
class OwedDuty:
    """One duty of one case.

    ``missing``: facts without which it is not known to exist or when it is due.
    ``moving``: its due date still depends on the day it is asked for.
    """

    id: str
    rule: Rule
    duty: Duty
    start: Start
    record: int | None
    met: Met
    missing: tuple[str, ...]
    due: DueDate | None
    done: Occurrence | None
    ended: Occurrence | None
    steps: tuple[Step, ...]
    lapses_on: date | None
    court: Court | None
    court_name: str
    moving: bool
    ground: str

    @property
    def course(self) -> Course:
        """Its dates; a duty not known to exist has not started."""
        due = self.due.on if self.due else None
        done = self.done.on if self.done else None
        if self.done is not None and self.done.by and due is not None:
            done = min(self.done.on, due)
        starts = self.start.on if self.met.truth is True else None
        return Course(starts, due, done, self.ended.on if self.ended else None, self.lapses_on)

    @property
    def unnamed(self) -> bool:
        """Whether its id is still to be completed by that of the decision that starts it."""
        return self.start.id.endswith(_UNNAMED)

    def state(self, as_of: date) -> State:
        return state(self.course, as_of)


class FollowUp:
    """The duties of one case, from its decisions and the events that stand.

    ``as_of`` matters only to due dates that rest on stays still running. ``known`` finds every
    fact of the last decision on its day, where they are at hand.
    INVARIANT: the order of the events and of the decisions given does not matter.
    """

    def __init__(
        self,
        grounds: Sequence[Ground],
        events: Sequence[Event],
        as_of: date,
        known: Callable[[], Known] | None = None,
    ) -> None:
        self.known = known
        self.grounds = sorted(grounds, key=lambda g: (g.as_of, g.id))
        self.events = events
        self.as_of = as_of
        self.rulebase: Rulebase = self.grounds[-1].program.lowered.rulebase
        self.register, self.law = self.grounds[-1].program.register, self.grounds[-1].program.law
        self._standpoints: dict[tuple[int, date, bool], Standpoint] = {}
        self.lasting = True
        """Whether the duties found so far are the same on every day asked for."""

    def duties(self) -> list[OwedDuty]:
        """Every duty there is, or will be once its event happens; by due date."""
        owed = [owed for rule, duty in self.law.duties for owed in self._owed(rule, duty)]
        after = [(rule, duty) for rule, duty in self.law.duties if duty.on_lapse_of]
        owed += [late for rule, duty in after for late in self._lapsed(rule, duty, owed)]
        return sorted(owed, key=_by_due)

    # --- what happened ---------------------------------------------------------------------------

    @cached_property
    def occurrences(self) -> list[Occurrence]:
        """Events by day; where none of a type is on record, the facts stand for it.

        Dates in the facts of a decision report what had happened by its day.
        """
        found = [Occurrence(e.id, e.type, e.on, e.records, e.answers) for e in self.events]
        told = {o.type for o in found if o.on <= self.grounds[-1].as_of}
        case = self.grounds[-1].case
        for sign in self.law.signs:
            if sign.event in told:
                continue
            if not sign.days:
                found += self._set_by_facts(sign)
            elif any(scope != CASE or key in case.facts for key, scope in sign.days):
                found += _days_told(sign, case)
        return sorted(found, key=lambda o: (o.on, o.id))

    def _set_by_facts(self, sign: Sign) -> Iterator[Occurrence]:
        for ground in self.grounds:
            if _says(ground.case, sign):
                yield Occurrence(f"fact:{sign.event}", sign.event, ground.as_of, by=True)
                return

    @cached_property
    def _begun(self) -> dict[str, list[Occurrence]]:
        """The occurrences by type."""
        out: dict[str, list[Occurrence]] = {}
        for o in self.occurrences:
            out.setdefault(o.type, []).append(o)
        return out

    def _ground_on(self, on: date) -> int:
        """The decision in force on a day: the last one by then, else the first."""
        known = [i for i, ground in enumerate(self.grounds) if ground.as_of <= on]
        return known[-1] if known else 0

    def standpoint(self, which: int, on: date, assume: bool) -> Standpoint:
        """The facts of a decision with the events up to a day (its own day at least)."""
        ground = self.grounds[which]
        day = max(on, ground.as_of)
        key = (which, day, assume)
        if key not in self._standpoints:
            past = [event for event in self.events if event.on <= day]
            case = case_after(ground.case, past, self.rulebase)
            mode = (ground.mode or "") if assume else ""
            same = not past and day == ground.as_of and which == len(self.grounds) - 1
            self._standpoints[key] = Standpoint(
                ground, case, day, mode, self.known if same else None
            )
        return self._standpoints[key]

    # --- which duties ----------------------------------------------------------------------------

    def _owed(self, rule: Rule, duty: Duty) -> Iterator[OwedDuty]:
        begun: list[Occurrence] = []
        if not self._begun.keys().isdisjoint(duty.starts_on):
            begun = [o for o in self.occurrences if o.type in duty.starts_on]
        if begun:  # the first kind starts it, the others only start it again
            first = min((o.on for o in begun if o.type == duty.starts_on[0]), default=date.max)
            begun = [o for o in begun if o.on >= first]
        for o in begun:
            start = Start("event", o.id, o.on, o.type, o.records)
            yield from self._started(rule, duty, start, self._ground_on(o.on))
        if duty.on_decision or duty.on_verdict:
            yield from self._with_decisions(rule, duty)
        if duty.starts_on and not begun:
            yield from self._pending(rule, duty)

    def _with_decisions(self, rule: Rule, duty: Duty) -> Iterator[OwedDuty]:
        """Duties that start with a decision: once for as long as decision after decision finds
        the same, anew where it was found otherwise in between. A verdict that starts the duty
        and a condition that would are one ground for it, not two."""
        held: set[int | None] = set()
        for i, ground in enumerate(self.grounds):
            found: list[OwedDuty] = []
            verdict = bool(ground.verdicts.intersection(duty.on_verdict))
            if verdict or duty.on_decision:
                kind: Kind = "verdict" if verdict else "decision"
                start = Start(kind, f"{kind}:{ground.id}", ground.as_of)
                found = list(self._started(rule, duty, start, i))
            yield from (owed for owed in found if owed.record not in held)
            held = {owed.record for owed in found}

    def _started(self, rule: Rule, duty: Duty, start: Start, ground: int) -> Iterator[OwedDuty]:
        """Duties whose start happened, where their condition held on that day or may have."""
        on, made = start.on or date.min, self.grounds[ground]
        if not self._applies(rule, made, on):
            return
        standing = self.standpoint(ground, on, on >= made.as_of)
        if duty.due is not None and duty.due.of and standing.value(duty.due.of) is NONE:
            return  # there is no such day to count from: no seizure, no time limit
        for record in self._records(duty, start, standing):
            may = start.kind == "event" and on >= made.as_of
            met = standing.met(rule, duty, record, start.kind != "verdict", may)
            if met.truth is True or (met.truth is None and may):
                yield self._duty(rule, duty, start, standing, ground, record, met)

    def _pending(self, rule: Rule, duty: Duty) -> Iterator[OwedDuty]:
        """Duties that wait for an event, where their condition holds as things stand."""
        in_force, standing = self._latest
        if rule.id not in in_force:
            return
        start, last = _waiting(duty.starts_on[0]), len(self.grounds) - 1
        for record in self._records(duty, start, standing):
            met = standing.met(rule, duty, record, True, False)
            if met.truth is True:
                yield self._duty(rule, duty, start, standing, last, record, met)

    @cached_property
    def _latest(self) -> tuple[Mapping[str, Rule], Standpoint]:
        """How things stand, and the rules in force then."""
        ground = self.grounds[-1]
        on = max([ground.as_of, *(event.on for event in self.events)])
        in_force = self.law.rules(ground.program.lowered.profile, on)
        return in_force, self.standpoint(len(self.grounds) - 1, on, True)

    def _lapsed(self, rule: Rule, duty: Duty, owed: Sequence[OwedDuty]) -> Iterator[OwedDuty]:
        """Duties that start when another reaches the end of its ladder unfulfilled."""
        for other in owed:
            if other.rule.id not in duty.on_lapse_of or not other.steps:
                continue
            on = max(other.steps[-1].on, other.start.on or date.min)
            over = [end for end in (other.course.done_on, other.course.ended_on) if end]
            if other.met.truth is not True or any(end < on for end in over):
                continue
            ground = self._ground_on(on)
            if self._applies(rule, self.grounds[ground], on):
                start = Start("lapse", f"lapse:{other.id}", on, other.rule.id)
                standing = self.standpoint(ground, on, False)
                yield self._duty(rule, duty, start, standing, ground, None, Met(True))

    def _applies(self, rule: Rule, ground: Ground, on: date) -> bool:
        """Whether a rule is in force for the profile of a decision on a day."""
        return rule.id in self.law.rules(ground.program.lowered.profile, on)

    def _records(self, duty: Duty, start: Start, standing: Standpoint) -> Sequence[int | None]:
        if not duty.each:
            return _ONE
        named = start.records.get(duty.each)
        count = len(standing.case.records.get(duty.each, ()))
        return [i for i in range(count) if named is None or i == named]

    # --- one duty --------------------------------------------------------------------------------

    def _duty(
        self,
        rule: Rule,
        duty: Duty,
        start: Start,
        standing: Standpoint,
        ground: int,
        record: int | None,
        met: Met,
    ) -> OwedDuty:
        day = start.on or standing.on
        parameters = self._values(self.grounds[ground], day)
        since, moving = self._since(duty, start, standing)
        due, put_off = None, 0
        if duty.due is not None and since is not None and met.truth is True:
            rollover = bool(parameters.get(ROLLOVER, True))
            due = due_date(duty.due, since, parameters, self.rulebase.calendar, rollover)
            usual = due.on
            due = self._not_before_start(due, day, parameters, rollover)
            put_off = (due.on - usual).days
        asked = duty.due is not None and duty.due.of and since is None and start.on is not None
        done = self._first(duty, duty.done_by, start, record)
        ended = self._first(duty, duty.ended_by, start, record)
        late = ended and due and ended.on > due.on
        if late and duty.due and duty.due.before:
            ended = None  # handed over too late: the seizure is still to be renewed
        steps = _steps(duty, due, parameters, put_off)
        formal = [s.on for s in steps if self.rulebase.instruments[s.instrument].formal]
        court, name = self._court(duty, standing)
        place = "" if record is None else f"[{record}]"
        return OwedDuty(
            id=f"{rule.id}.{duty.key}{place}:{start.id}",
            rule=rule,
            duty=duty,
            start=start,
            record=record,
            met=met,
            missing=(*met.missing, *((duty.due.of,) if asked and duty.due else ())),
            due=due,
            done=done,
            ended=ended,
            steps=steps,
            lapses_on=formal[0] if formal else None,
            court=court,
            court_name=name,
            moving=moving,
            ground=self.grounds[ground].id,
        )

    def _not_before_start(
        self, due: DueDate, start: date, parameters: Mapping[str, Any], rollover: bool
    ) -> DueDate:
        """A day counted back from another leaves the time to hand over, but passes that day
        only where it was past already at the start."""
        if not due.before or HANDOVER not in parameters:
            return due
        after = due_date(
            Due(parameters[HANDOVER]), start, parameters, self.rulebase.calendar, rollover
        )
        on = max(due.on, min(after.on, max(due.start, start)))
        count = (due.start - on).days
        return replace(due, on=on, count=abs(count), before=count >= 0, nominal=on)

    def _values(self, ground: Ground, on: date) -> Mapping[str, Any]:
        """The parameters in force on the day the duty started."""
        return self.law.parameters(ground.program.lowered.profile, on)

    def _since(self, duty: Duty, start: Start, standing: Standpoint) -> tuple[date | None, bool]:
        """The day the time limit is counted from, and whether it may still move."""
        if duty.due is None or start.on is None:
            return None, False
        if not duty.due.of:
            return start.on, False
        fact = self.rulebase.vocabulary.facts[duty.due.of]
        if fact.derive is None:
            value = standing.case.facts.get(fact.key)
            return (value if isinstance(value, date) else None), False
        # A derived day (the extended deadline of an urge order) rests on stays up to now.
        self.lasting = False
        until = max(self.as_of, standing.on)
        past = [event for event in self.events if event.on <= until]
        stays = case_after(standing.ground.case, past, self.rulebase).intervals
        now = Standpoint(standing.ground, replace(standing.case, intervals=stays), until, "")
        value = now.value(fact.key)
        open_stays = any(i.end is None and i.kind in STAY_KINDS for i in stays or ())
        return (value if isinstance(value, date) else None), open_stays

    def _first(
        self, duty: Duty, types: Sequence[str], start: Start, record: int | None
    ) -> Occurrence | None:
        """The first occurrence of some types that counts for a duty."""
        if start.on is None:
            return None
        for o in self.occurrences:
            if o.type not in types or o.id == start.id:
                continue
            if o.on < start.on and not (duty.earlier_counts and types is duty.done_by):
                continue
            if o.type == start.what and (o.on, o.id) < (start.on, start.id):
                continue
            if o.answers and o.answers != start.id:
                continue
            if record is not None and not self._concerns(o, duty.each, record):
                continue
            return o
        return None

    def _concerns(self, o: Occurrence, scope: str, record: int) -> bool:
        """Whether an occurrence is about one record, or about all of them."""
        if scope in o.records:
            return o.records[scope] == record
        kind, facts = self.rulebase.events[o.type], self.rulebase.vocabulary.facts
        named = any(facts[key].scope == scope for key in (*kind.day, *kind.facts, *kind.sets))
        only = len(self.grounds[-1].case.records.get(scope, ())) <= 1
        whole = any(facts[key].scope == CASE for key in kind.sets)
        return only or whole or not named

    def _court(self, duty: Duty, standing: Standpoint) -> tuple[Court | None, str]:
        """The court that owes the duty, by the facts; else the superior that would."""
        role = self.rulebase.roles.get(duty.who)
        if role is None:
            return NOBODY
        name = standing.value(role.court)
        if isinstance(name, str):
            return self.register.find(name), name
        below = self.register.find(standing.value(role.superior_of)) if role.superior_of else None
        above = self.register.next_higher(below) if below else None
        return (above, above.id) if above else NOBODY


@cache
def _waiting(event: str) -> Start:
    """The start of a duty that waits for an event."""
    return Start("none", "none", None, event)


def named(owed: OwedDuty, decision_id: str) -> OwedDuty:
    """A duty of a decision that had no id when it was found and has one now.

    INVARIANT: the one that is found where the ground has the id; there are no events yet.
    """
    if not owed.unnamed:
        return replace(owed, ground=decision_id)
    start = replace(owed.start, id=owed.start.id + decision_id)
    return replace(owed, id=owed.id + decision_id, start=start, ground=decision_id)


def _by_due(owed: OwedDuty) -> tuple[date, str]:
    return (owed.due.on if owed.due else date.max, owed.id)


def _steps(
    duty: Duty, due: DueDate | None, parameters: Mapping[str, Any], put_off: int
) -> tuple[Step, ...]:
    """The ladder of a duty; what comes after its first day keeps the days it would have had."""
    if due is None:
        return ()
    days = sorted((number(rung.after, parameters), rung.instrument) for rung in duty.ladder)
    after = [(max(n - put_off, 1), name) for n, name in days]
    return tuple(Step(due.on + timedelta(days=n), n, name) for n, name in after)


def _says(case: Case, sign: Sign) -> bool:
    """Whether the facts that an event sets are as it sets them, in every record."""
    for key, scope, value in sign.sets:
        found = _stores(case, scope)
        if not found or any(store.get(key) != value for store in found):
            return False
    return True


def _stores(case: Case, scope: str) -> Sequence[Mapping[str, Any]]:
    return [case.facts] if scope == CASE else case.records.get(scope, ())


def _days_told(sign: Sign, case: Case) -> list[Occurrence]:
    """The days that the first of its facts with any holds, each with the record it stands in."""
    for key, scope in sign.days:
        found = [
            Occurrence(f"fact:{key}", sign.event, on, {} if scope == CASE else {scope: index})
            for index, store in enumerate(_stores(case, scope))
            if isinstance(on := store.get(key), date)
        ]
        if found:
            return found
    return []
