"""The follow-up of cases: decisions and events in, duties and their states out.

The rows of the ledger are a projection: they are computed from the decisions and events of a
case alone, and can be rebuilt from them at any time with the same result.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from threading import Lock, RLock
from typing import Any

from sqlalchemy import Connection

from eligibility.decision.decide import Decided, Decider
from eligibility.decision.duties import FollowUp
from eligibility.decision.events import (
    Event,
    describe_event,
    read_event,
    standing,
    unplaced,
)
from eligibility.decision.follow_up import (
    case_now,
    changed_facts,
    duty_entries,
    lasting_entry,
)
from eligibility.decision.standpoint import Ground
from eligibility.documents import read_json
from eligibility.errors import FactsError, NotFound, Problem, Text
from eligibility.records import decisions, events, idempotency, ledger, rulebases, scope
from eligibility.records.database import Database, lock_case
from eligibility.records.decisions import Recorded
from eligibility.records.drafts import Answer, Draft, check_come, draft_of, duty_row
from eligibility.records.events import StoredEvent
from eligibility.records.idempotency import Once
from eligibility.records.journal import Journal
from eligibility.records.ledger import Cursor, DutyRow
from eligibility.records.recording import Recorder
from eligibility.records.seals import LogKey
from eligibility.records.telling import events_told, ledger_entry, summary
from eligibility.records.vault import Reader, Shredded, Vault, is_sealed, sealed_text, shredded
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.values import LAST_DAY

Data = dict[str, Any]
ENVELOPE = ("case_no", "decision_id")
REMEMBERED = 4096  # grounds kept ready; a case decided every night has hundreds


@dataclass(frozen=True, slots=True)
class CaseFile:
    """Everything on record of one case; ``events`` in the order in which they were recorded."""

    key: str
    decisions: list[Recorded]
    events: list[Event]


class FollowUps:
    """Records decisions and events, and answers what must happen next.

    ``texts`` are those of the decider's rule base: it is kept with the first decision made
    by it. Another decider, of a rule base that is kept already, may take over (:meth:`serve`)
    or be named for one decision. ``log_key`` seals what is recorded, ``vault`` what is said of
    cases. May be shared by threads;
    deciding happens under one lock.
    """

    def __init__(
        self,
        database: Database,
        decider: Decider,
        texts: Mapping[str, str],
        log_key: LogKey | None = None,
        vault: Vault | None = None,
    ) -> None:
        self.database = database
        self.decider = decider
        self.texts = dict(texts)
        self._own = decider.rulebase
        self.lock = Lock()
        self.log_key = log_key
        self._library = rulebases.Library(database, log_key)
        self._others: OrderedDict[str, Decider] = OrderedDict()
        self._finding = RLock()
        self._kept = False
        self.vault = vault or Vault()
        self.recorder = Recorder(database, log_key, self._keep, self._project, self.vault)
        self._known: dict[str, Ground] = {}
        self._starts: dict[str, Ground] = {}

    def serve(self, decider: Decider) -> None:
        """From now on decide and read events by this one, whose rule base is kept already."""
        with self.lock:
            earlier, self.decider = self.decider, decider
            if earlier is not decider:
                self._forget(earlier.rulebase.digest)

    def _forget(self, digest: str) -> None:
        """Let go of the grounds that hold the programs of a rule base in memory."""
        for known in (self._known, self._starts):
            for key in [k for k, g in list(known.items()) if _digest_of(g) == digest]:
                known.pop(key, None)

    # --- decisions -------------------------------------------------------------------------------

    def record_decision(
        self,
        request: Mapping[str, Any],
        body: Data,
        now: datetime,
        follows: str | None = None,
        once: Once | None = None,
        *,
        decider: Decider | None = None,
        caller: str | None = None,
        made: Decided | None = None,
    ) -> Data:
        """Record a decision for good; the body with its id and time, as it will be shown again.

        The arguments are those of :meth:`draft`. When this returns, the decision is on the disk
        and its duties are in the ledger; what other threads record meanwhile is written with
        it. Where the key of ``once`` has a decision already, that is returned instead. Raises
        Conflict (``idempotency_conflict``) where that one answered another request, and
        FactsError (``future_decision``).
        """
        draft = self.draft(
            request, body, now, follows, once, decider=decider, caller=caller, made=made
        )
        (outcome,) = self.record([draft])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome.body

    def record(self, drafts: Sequence[Draft]) -> list[Answer | BaseException]:
        """Record decisions for good, in their order and in as few transactions as may be.

        For each its answer, once it is on the disk with its duties, or what is wrong with it
        alone (see :meth:`record_decision`). Raises RecordsError (``records_busy``): none of
        them is recorded.
        """
        outcomes = self.recorder.record_all([draft.entry for draft in drafts])
        self._kept = self._kept or not all(isinstance(o, BaseException) for o in outcomes)
        return [
            outcome
            if isinstance(outcome, BaseException)
            else draft.answer
            if outcome is None
            else Answer(json.loads(outcome), outcome.encode(), repeated=True)
            for draft, outcome in zip(drafts, outcomes, strict=True)
        ]

    def draft(
        self,
        request: Mapping[str, Any],
        body: Data,
        now: datetime,
        follows: str | None = None,
        once: Once | None = None,
        *,
        decider: Decider | None = None,
        caller: str | None = None,
        made: Decided | None = None,
    ) -> Draft:
        """A decision as it will be recorded; all of it that can be computed before.

        ``request``: ``{"case": …, "profile"?: …, "as_of"?: …}`` as received. ``decider``: the
        one that made it, where it is not the one in force. ``caller`` asked for it. ``made``:
        what ``body`` tells, where it is at hand. Raises FactsError (``future_decision``):
        nothing is decided for a day that has not come.
        """
        by = decider or self.decider
        check_come(date.fromisoformat(body["as_of"]), now)
        with self.lock:
            if made is None:
                day, profile = date.fromisoformat(body["as_of"]), body["profile"]
                made = by.made(by.assess(request["case"], day, profile, "native"), body)
            found = draft_of(made, request, body, now, follows, once, caller)
            _remember(self._known, found.entry.values["id"], found.ground)
        return found

    def _keep(self, connection: Connection, now: datetime) -> None:
        if not self._kept:
            rulebases.keep(connection, self._own, self.texts, now, self.log_key)

    def answered(self, once: Once) -> Answer | None:
        """The decision that a key has already, as it was answered. Raises Conflict, Shredded."""
        with self.database.read() as connection:
            reader = self.vault.reader(connection)
            earlier = idempotency.decided(connection, once, reader.text)
            if earlier is None:
                return None
            text = reader.decision(decisions.find(connection, earlier)).body
            return Answer(json.loads(text), text.encode(), repeated=True)

    def decision(self, decision_id: str) -> Recorded:
        """A decision on record. Raises NotFound, Shredded."""
        with self.database.read() as connection:
            return self.vault.reader(connection).decision(decisions.find(connection, decision_id))

    def opened(self, recorded: Recorded) -> Recorded:
        """A decision that was read as it is stored. Raises Shredded."""
        if not is_sealed(recorded):
            return recorded
        with self.database.read() as connection:
            return self.vault.reader(connection).decision(recorded)

    def _on_record(
        self, connection: Connection, key: str
    ) -> tuple[list[Recorded], list[StoredEvent]]:
        """Decisions and events of a case, opened; decisions that were shredded are sealed still,
        events that were are left out."""
        reader = self.vault.reader(connection)
        made = reader.decisions(decisions.of_case(connection, key))
        return made, reader.events(events.of_case(connection, key))

    def case_key(self, case_no: str | None, decision_id: str | None) -> str:
        """What holds a case together; a case may be named by its number or by a decision."""
        if decision_id is not None:
            found = self.decision(decision_id)
            if case_no is not None and found.case_no != case_no:
                text = Text(
                    f"该决定属于案件 {found.case_no}", f"that decision is of case {found.case_no}"
                )
                raise FactsError(Problem("case_mismatch", text, "case_no"))
            return found.case_key
        if not case_no:
            text = Text("须写明案号（case_no）或决定（decision_id）", "name case_no or decision_id")
            raise FactsError(Problem("missing_field", text, "case_no"))
        return case_no

    # --- events ----------------------------------------------------------------------------------

    def record_event(self, payload: Any, now: datetime, today: date) -> tuple[Data, bool]:
        """Record an event; what it says now, and whether it is new.

        The same event again changes nothing. Raises FactsError (misfits, with paths),
        Conflict (the id stands for another event), NotFound (no such decision), Shredded.
        """
        base = self.decider.rulebase
        if not isinstance(payload, Mapping):
            read_event(payload, base, today)
        named = {name: self._text(payload, name) for name in ENVELOPE}
        key = self.case_key(named["case_no"], named["decision_id"])
        body = {k: v for k, v in payload.items() if k not in ENVELOPE}
        event = read_event(body, base, today, key)
        body = {**body, "id": event.id, "type": event.type, "on": event.on.isoformat()}
        with self.database.begin() as connection:
            new = self._append(connection, key, event, body, now)
            if new:
                self._project(connection, key, now)
        return {"case": key, **describe_event(event, base)}, new

    def _append(
        self, connection: Connection, key: str, event: Event, body: Data, now: datetime
    ) -> bool:
        journal = Journal(connection, self.log_key, now)  # the first of all locks
        lock_case(connection, key)
        made = self.vault.reader(connection).decisions(decisions.of_case(connection, key))
        if made and all(map(is_sealed, made)):
            raise shredded()

        def sealed(place: str, text: str) -> str:
            return sealed_text(self.vault.key_for(connection, key, now), place, text)

        _, new = events.append(
            connection,
            key,
            event.id,
            event.type,
            event.on,
            body,
            event.corrects or None,
            now,
            journal=journal,
            opened=self.vault.reader(connection).text,
            sealed=sealed,
        )
        return new

    def _text(self, payload: Mapping[str, Any], key: str) -> str | None:
        value = payload.get(key)
        if value is None or isinstance(value, str):
            return value
        raise FactsError(Problem("wrong_type", Text("应为文字", "expected a text"), key))

    # --- the duties of a case --------------------------------------------------------------------

    def view(self, case_key: str, as_of: date) -> Data:
        """A case as it stands on a day: decisions, events, duties, facts gone stale.

        Raises NotFound where nothing of the case is on record.
        """
        with self.database.read() as connection:
            made, stored = self._on_record(connection, case_key)
            if not made and scope.is_new(connection, case_key):
                raise unknown_case(case_key)
        with self.lock:
            return self._view(case_key, made, stored, as_of)

    def _view(self, key: str, made: list[Recorded], stored: list[StoredEvent], as_of: date) -> Data:
        found, unread = self._events(stored, made)
        stands = [event for event in standing(found) if event.on <= as_of]
        readable = self._readable(made)
        if len(readable) < len(made):
            unread += shredded().problems
        by_then = [d for d in readable if d.as_of <= as_of] or readable[:1]
        grounds = self.grounds(by_then)
        out: Data = {
            "case_no": made[-1].case_no if made else key,
            "as_of": as_of.isoformat(),
            "decisions": [summary(decision) for decision in made],
            "events": events_told(found, standing(found), stored, self._base(made)),
            "follow_ups": [],
            "since_decision": None,
            "warnings": [problem.as_dict() for problem in unread],
        }
        if grounds:
            base = grounds[-1].program.lowered.rulebase
            owed = FollowUp(grounds, stands, as_of).duties()
            out["follow_ups"] = duty_entries(owed, as_of, key, base)
            out["since_decision"] = self._since(by_then[-1], grounds[-1], stands, as_of)
            lost = unplaced(grounds[-1].case, stands, base)
            out["warnings"] += [problem.as_dict() for problem in lost]
        return out

    def _base(self, made: Sequence[Recorded]) -> Rulebase:
        return self._decider(made[-1].digest).rulebase if made else self.decider.rulebase

    def for_notice(
        self, case_key: str, duty_id: str | None, today: date
    ) -> tuple[Data, Data, Data | None, Rulebase]:
        """What a notice rests on: the case as of today, its latest decision, the duty, the rules.

        Raises NotFound where the case, a decision of it, or the duty is not on record.
        """
        view = self.view(case_key, today)
        made = [d for d in view["decisions"] if d["as_of"] <= today.isoformat()]
        if not made:
            text = Text("该日之前没有决定", "there is no decision by that day")
            raise NotFound(Problem("unknown_decision", text, "decision_id"))
        latest = self.decision(made[-1]["id"])
        entry = next((e for e in view["follow_ups"] if e["id"] == duty_id), None)
        if duty_id is not None and entry is None:
            shown = duty_id[:80]
            text = Text(f"该案没有义务“{shown}”", f"the case has no duty '{shown}'")
            raise NotFound(Problem("unknown_duty", text, "duty"))
        return view, json.loads(latest.body), entry, self._decider(latest.digest).rulebase

    def _since(self, latest: Recorded, ground: Ground, stands: list[Event], as_of: date) -> Data:
        """What became of the latest decision's facts, and what the case would be now.

        ``stale``: a fact that the decision rests on has changed, or its outcome would be
        another today; then the case is worth deciding again. That the case has moved to the
        designated court is what was decided, and makes nothing stale.
        """
        decider = self._decider(latest.digest)
        decided = self._ground(latest).case
        changed = changed_facts(decided, ground.case, stands, decider.rulebase)
        types = decider.rulebase.events
        moving = {e.id for e in stands if types[e.type].transfers and e.on > ground.as_of}
        known = [entry for entry in changed if entry["then"] is not None]
        out: Data = {
            "decision_id": latest.id,
            "stale": any(entry["event"] not in moving for entry in known),
            "changed": changed,
            "outcome_then": latest.outcome,
        }
        try:
            payload = case_now(ground.case, stands, decider.rulebase)
            now = decider.assess(payload, as_of, latest.profile, "native")
        except FactsError as error:
            return out | {"problems": [problem.as_dict() for problem in error.problems]}
        return out | {
            "stale": out["stale"] or (not moving and now.outcome != latest.outcome),
            "outcome_now": now.outcome,
            "outcome_now_label": decider.outcome_label(now.outcome).as_dict(),
            "possible_outcomes_now": list(now.outcomes),
            "case": payload,
        }

    def reevaluate(
        self,
        case_key: str,
        now: datetime,
        as_of: date,
        decider: Decider | None = None,
        *,
        caller: str | None = None,
    ) -> Data:
        """Decide the case again as it stands after its events, and record that decision."""
        by = decider or self.decider
        check_come(as_of, now)
        with self.database.read() as connection:
            made, stored = self._on_record(connection, case_key)
        if not made:
            text = Text("该案没有决定记录", "no decision of this case is on record")
            raise NotFound(Problem("unknown_decision", text, "decision_id"))
        latest = made[-1]
        if is_sealed(latest):
            raise shredded()
        with self.lock:
            found, _ = self._events(stored, made)
            (ground,) = self.grounds([latest])
            stands = [event for event in standing(found) if event.on <= as_of]
            payload = case_now(ground.case, stands, by.rulebase)
            made_now = by.decided(payload, today=as_of, as_of=as_of, profile=latest.profile)
        request = {"case": payload, "profile": latest.profile, "as_of": as_of.isoformat()}
        return self.record_decision(
            request,
            made_now.body,
            now,
            follows=latest.id,
            decider=by,
            caller=caller,
            made=made_now,
        )

    # --- the ledger ------------------------------------------------------------------------------

    def duties(
        self, as_of: date, now: datetime, *, limit: int, **wanted: Any
    ) -> tuple[list[Data], Cursor | None]:
        """Duties of the ledger as they stand on a day, by due date; and where to go on.

        ``wanted``: the filters of :func:`ledger.search` (court_id, case_no, states, rule,
        due_before, after, within).
        """
        self.refresh(now, wanted.get("court_id"))
        with self.database.read() as connection:
            found = ledger.search(connection, as_of, limit=limit, **wanted)
            reader = self.vault.reader(connection)
            rows = [(self._open(reader, row), state) for row, state in found]
        more = ledger.cursor_of(rows[-1][0]) if len(rows) == limit else None
        return [ledger_entry(row, state, as_of) for row, state in rows], more

    def duty(self, duty_id: str, as_of: date) -> tuple[DutyRow, Data]:
        """One duty of the ledger. Raises NotFound."""
        with self.database.read() as connection:
            row = self._open(self.vault.reader(connection), ledger.find(connection, duty_id))
        return row, ledger_entry(row, ledger.state_on(row, as_of), as_of)

    def _open(self, reader: Reader, row: DutyRow) -> DutyRow:
        return replace(row, body=reader.text(ledger.place(row), row.body))

    def refresh(self, now: datetime, court_id: str | None = None) -> int:
        """Compute again the cases whose due dates still move; how many there were."""
        with self.database.read() as connection:
            moving = ledger.moving_cases(connection, court_id)
        return self._rebuild(moving, now)

    def rebuild(self, now: datetime) -> int:
        """Compute the whole ledger again from decisions and events; how many cases it has."""
        with self.database.read() as connection:
            keys = decisions.cases(connection)
        return self._rebuild(keys, now)

    def _rebuild(self, keys: Sequence[str], now: datetime) -> int:
        for key in keys:
            with self.database.begin() as connection:
                lock_case(connection, key)
                self._project(connection, key, now)
        return len(keys)

    def _project(self, connection: Connection, key: str, now: datetime) -> None:
        """Put the duties of a case into the ledger, from its decisions and events."""
        every, stored = self._on_record(connection, key)
        if not every:
            return  # events came first; the duties come with the decision
        made = self._readable(every)
        if not made:
            ledger.replace_case(connection, key, [], now, every[-1].digest)
            return
        data_key = self.vault.keys_of(connection, [key]).get(key)
        with self.lock:
            found, _ = self._events(stored, made)
            grounds = self.grounds(made)
            today = now.astimezone(UTC).date()
            owed = FollowUp(grounds, standing(found), today).duties()
            base = grounds[-1].program.lowered.rulebase
            case_no = made[-1].case_no
            rows = [duty_row(key, case_no, d, lasting_entry(d, key, base), d.ground) for d in owed]
        kept = [ledger.sealed(row, data_key) for row in rows]
        ledger.replace_case(connection, key, kept, now, made[-1].digest)

    # --- loading ---------------------------------------------------------------------------------

    def _readable(self, made: Sequence[Recorded]) -> list[Recorded]:
        """The decisions that were not shredded; of those that were, nothing is remembered."""
        for decision in made:
            if is_sealed(decision):
                self._known.pop(decision.id, None)
                self._starts.pop(decision.id, None)
        return [decision for decision in made if not is_sealed(decision)]

    def case_files(self, court_id: str) -> Iterator[CaseFile]:
        """The cases that concern a court: decided on for it, or with a duty of its own."""
        with self.database.read() as connection:
            keys = ledger.cases_of_court(connection, court_id)
            found = [(key, *self._on_record(connection, key)) for key in keys]
        for key, made, stored in found:
            yield CaseFile(key, made, self._events(stored, made)[0])

    def grounds(self, made: Sequence[Recorded]) -> list[Ground]:
        """Decisions on record as grounds of duties, each assessed again by its own rule base.

        A decision that re-evaluates another starts from the facts of the first one, as that
        one did: the events alone say what changed, whenever they arrive or are withdrawn.
        """
        return [replace(self._ground(d), case=self._first(d).case) for d in made]

    def _first(self, decision: Recorded) -> Ground:
        """The decision that a chain of re-evaluations started from."""
        chain = []
        while decision.follows is not None and decision.id not in self._starts:
            try:
                earlier = self.decision(decision.follows)
            except Shredded:
                break  # the first that can be read
            chain.append(decision.id)
            decision = earlier
        first = self._starts.get(decision.id) or self._ground(decision)
        for identity in chain:
            _remember(self._starts, identity, first)
        return first

    def _ground(self, decision: Recorded) -> Ground:
        """A decision never changes, so neither does what it is the ground of."""
        found = self._known.get(decision.id)
        if found is None:
            case = read_json(decision.request.encode())["case"]
            decider = self._decider(decision.digest)
            made = decider.assess(case, decision.as_of, decision.profile, "native")
            found = Ground.of(made, decision.id)
            _remember(self._known, decision.id, found)
        return found

    def _events(
        self, stored: Sequence[StoredEvent], made: Sequence[Recorded]
    ) -> tuple[list[Event], list[Problem]]:
        """Events on record, by the rule base of the latest decision; and those it cannot read."""
        base, out, unread = self._base(made), [], []
        for event in stored:
            try:
                out.append(read_event(read_json(event.body.encode()), base, LAST_DAY))
            except FactsError as error:
                unread += [
                    Problem(p.code, p.message, f"events.{event.id}.{p.place}")
                    for p in error.problems
                ]
        return out, unread

    def _decider(self, digest: str) -> Decider:
        """The decider of a digest; rule bases no longer in force come from the library."""
        decider = self.decider
        if digest == decider.rulebase.digest:
            return decider
        with self._finding:
            found = self._others.pop(digest, None) or Decider(self._library.get(digest))
            self._others[digest] = found
            if len(self._others) > rulebases.CACHED:
                oldest, _ = self._others.popitem(last=False)  # assessed by native: nothing to free
                self._forget(oldest)
            return found

    def close(self) -> None:
        for decider in self._others.values():
            decider.close()
        self.database.close()


def unknown_case(case_key: str) -> NotFound:
    """What is answered for a case that does not exist, or not for the one who asks."""
    shown = case_key[:80]
    text = Text(f"没有案件“{shown}”的记录", f"nothing of case '{shown}' is on record")
    return NotFound(Problem("unknown_case", text, "case_no"))


def _remember(known: dict[str, Ground], decision_id: str, ground: Ground) -> None:
    known[decision_id] = ground
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


def _digest_of(ground: Ground) -> str:
    return ground.program.lowered.rulebase.digest
