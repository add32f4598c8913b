"""What the routes share: the rule base in force, its decider, and how requests are bounded."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pydantic import BaseModel

from eligibility.api.access import LOCAL, Caller
from eligibility.api.models import decision_request
from eligibility.api.recording import Recording
from eligibility.api.requests import DecisionInput
from eligibility.api.scoped import Scoped
from eligibility.api.tracing import part
from eligibility.api.versions import Versions
from eligibility.courts.register import Register
from eligibility.decision.decide import Briefed, Decided, Decider
from eligibility.engines.trial import prove
from eligibility.errors import (
    EligibilityError,
    EngineError,
    NotFound,
    Problem,
    RulebaseError,
    Text,
    nearest,
)
from eligibility.records import chain, heads, journal
from eligibility.records.activations import Activation, activate, rollback
from eligibility.records.database import Database, file_url
from eligibility.records.drafts import Answer, Draft
from eligibility.records.follow_up import FollowUps
from eligibility.records.idempotency import Once, once
from eligibility.records.names import check_name, check_texts
from eligibility.records.replay import Replayer
from eligibility.records.rulebases import Library, keep
from eligibility.records.seals import LogKey
from eligibility.records.vault import vault_of
from eligibility.rulebase.model import Court, Rulebase
from eligibility.rulefiles import read_texts, rules_folder
from eligibility.settings import Settings, log_secret
from eligibility.vocabulary.payload import AS_OF_ALIAS
from eligibility.vocabulary.values import Unfit, from_wire

log = logging.getLogger("eligibility")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
WARMING_PAUSE = 0.01
"""Seconds between two diagrams compiled after the start, in which requests go first."""

NAMED_BY = ("case_no", "court_id", "receiving_court")


class Service:
    """The rule bases in service, ready to decide, and the records."""

    def __init__(self, rulebase: Rulebase, settings: Settings) -> None:
        self.settings = settings
        self.versions = Versions(rulebase, settings.engine, local_today)
        self._shape: tuple[str, type[BaseModel]] | None = None
        self._stopping = Event()
        self._warming: Thread | None = None

    @property
    def rulebase(self) -> Rulebase:
        """The rule base in force today."""
        return self.versions.current.rulebase

    @property
    def decider(self) -> Decider:
        """The decider of the rule base in force today."""
        return self.versions.current.decider

    @property
    def request_shape(self) -> type[BaseModel]:
        """The body of a request to decide, by the rule base in force today."""
        base, shape = self.rulebase, self._shape
        if shape is None or shape[0] != base.digest:
            shape = self._shape = base.digest, decision_request(base.vocabulary)
        return shape[1]

    @cached_property
    def follow_ups(self) -> FollowUps:
        """The records: opened with the service, so that it does not start without them.

        Nor with other keys than theirs: nothing could be recorded, or read.
        """
        key = LogKey(log_secret(self.settings))
        found = FollowUps(
            Database.open(database_url(self.settings)),
            self.versions.current.decider,
            read_texts(rules_folder(self.settings.rules)),
            key,
            vault_of(self.settings.sealing_key),
        )
        try:
            with found.database.begin() as connection:
                chain.check_key(connection, key)
                found.vault.check(connection)
                journal.begin(connection, key, now())
            library = Library(found.database, found.log_key)
            self.versions.attach(found.database, library, lambda v: found.serve(v.decider))
        except EligibilityError:
            found.close()
            raise
        return found

    @cached_property
    def recording(self) -> Recording:
        """Decisions of the event loop on their way to the disk."""
        return Recording(self.follow_ups.record)

    @cached_property
    def replayer(self) -> Replayer:
        """Decides again what is on record, apart from what is decided now."""
        found = self.follow_ups
        return Replayer(found.database, found.log_key, found.vault)

    def decide(self, asked: DecisionInput, full: bool) -> dict[str, Any]:
        """The decision asked for, by today's date where none is given; nothing is recorded."""
        with self.versions.using(self.digest_for(asked)) as version:
            return self._decided(version.decider, asked, full).body

    def _decided(self, decider: Decider, asked: DecisionInput, full: bool) -> Decided:
        with part("decide"), self.follow_ups.lock:
            return decider.decided(
                asked.case,
                today=local_today(),
                as_of=asked.as_of,
                profile=asked.profile,
                engine=self.settings.engine,
                full=full,
            )

    def brief(self, asked: DecisionInput) -> Briefed:
        """What :meth:`decide` finds without its reasons; nothing is recorded."""
        with self.versions.using(self.digest_for(asked)) as version, self.follow_ups.lock:
            return version.decider.briefed(
                asked.case,
                today=local_today(),
                as_of=asked.as_of,
                profile=asked.profile,
                engine=self.settings.engine,
            )

    @cached_property
    def scoped(self) -> Scoped:
        """The records as far as a caller may see them."""
        return Scoped(self.follow_ups)

    def record(
        self,
        asked: DecisionInput,
        full: bool,
        key: str | None = None,
        caller: Caller = LOCAL,
    ) -> Answer:
        """The decision asked for, on record when this returns; see :meth:`draft`."""
        draft = self.draft(asked, full, key, caller)
        if isinstance(draft, Answer):
            return draft
        (outcome,) = self.follow_ups.record([draft])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def draft(
        self,
        asked: DecisionInput,
        full: bool,
        key: str | None = None,
        caller: Caller = LOCAL,
    ) -> Draft | Answer:
        """The decision asked for, ready to be recorded.

        The same ``key`` (of the header Idempotency-Key) of the same caller again: the decision
        recorded for it. Raises AccessError where the case is not the caller's to decide.
        """
        self.scoped.check_recording(asked.case, caller)
        request: dict[str, Any] = {"case": asked.case, "profile": asked.profile}
        request["as_of"] = asked.as_of.isoformat() if asked.as_of else None
        given = {key: value for key, value in request.items() if value is not None}
        asked_once = self._once(key, {**given, "rulebase": asked.rulebase, "full": full}, caller)
        earlier = self.follow_ups.answered(asked_once) if asked_once else None
        if earlier is not None:
            return earlier
        with self.versions.using(self.digest_for(asked)) as version:
            self._check_names(asked.case, version.rulebase)
            made = self._decided(version.decider, asked, full)
            return self.follow_ups.draft(
                given,
                made.body,
                now(),
                once=asked_once,
                decider=version.decider,
                caller=caller.name,
                made=made,
            )

    def digest_for(self, asked: DecisionInput) -> str:
        """The rule base that must decide: the one named, else that in force on the day asked for.

        Raises NotFound (``unknown_rulebase``).
        """
        if asked.rulebase is not None:
            return self.published(asked.rulebase).digest
        day = asked.as_of or evaluation_day(asked.case, self.rulebase) or local_today()
        return self.versions.digest_on(day)

    def at_hand(self, asked: DecisionInput) -> bool:
        """Whether deciding this waits neither for the database nor for a compiler."""
        if asked.rulebase is not None:
            return self.versions.is_ready(asked.rulebase)
        return self.versions.is_ready(self.digest_for(asked))

    def draft_at_hand(self, asked: DecisionInput, key: str | None, caller: Caller) -> bool:
        """Whether :meth:`draft` waits for neither of them either."""
        return key is None and caller.courts is None and self.at_hand(asked)

    def reevaluate(self, case_key: str, day: date, caller: Caller) -> dict[str, Any]:
        """The case decided again by the rule base in force on a day, and recorded.

        The caller can see the case.
        """
        with self.versions.using(self.versions.digest_on(day)) as version:
            return self.follow_ups.reevaluate(
                case_key, now(), day, version.decider, caller=caller.name
            )

    def _check_names(self, case: dict[str, Any], base: Rulebase) -> None:
        """What the case is found by must be fit to be kept. Raises FactsError."""
        for word, value in case.items():
            fact = base.vocabulary.named(word)
            if fact is not None and fact.key in NAMED_BY:
                check_name(value, fact.key)
        check_texts(case, "case")

    def _once(self, key: str | None, request: dict[str, Any], caller: Caller) -> Once | None:
        if key is None:
            return None
        return once(key, request, None if caller is LOCAL else caller.name)

    def court(self, name: str, caller: Caller = LOCAL, base: Rulebase | None = None) -> Court:
        """The court of the register with this id, name or alias, if the caller's.

        Raises NotFound.
        """
        base = base or self.rulebase
        found = Register(base.courts).find(name)
        if found is not None and (caller.courts is None or found.id in caller.courts):
            return found
        shown = name[:80]
        known = [w for c in base.courts.values() for w in (c.id, c.label.zh, *c.aliases)]
        text = Text(f"法院名录中没有“{shown}”", f"the court register has no '{shown}'")
        raise NotFound(Problem("unknown_court", text, "court", hint=nearest(shown, known)))

    def warm_up(self) -> None:
        """Compile every profile, so that no request waits for it; less usual cases a little
        later, between the requests."""
        self.versions.warm_up(self.versions.current)
        self._stopping.clear()
        self._warming = Thread(target=self._warm_up_more, name="warming up", daemon=True)
        self._warming.start()

    def _warm_up_more(self) -> None:
        decider = self.decider
        profiles, day = decider.rulebase.profiles, local_today()
        steps: Iterator[object] = itertools.chain.from_iterable(
            decider.warm_up(profile, day) for profile in profiles
        )
        try:
            while not self._stopping.wait(WARMING_PAUSE):
                with self.follow_ups.lock:
                    if next(steps, self) is self:
                        return
        except EligibilityError as error:
            log.warning("not all diagrams were compiled: %s", error)

    def published(self, digest: str) -> Rulebase:
        """The published rule base of a digest. Raises NotFound (``unknown_rulebase``)."""
        try:
            if self.versions.is_ready(digest) or DIGEST.fullmatch(digest):
                return self.versions.rulebase(digest)
        except NotFound:
            pass
        text = Text(
            f"没有发布过该规则库，现行规则库为 {self.rulebase.digest}",
            f"no such rule base was published; in force is {self.rulebase.digest}",
        )
        known = (self.rulebase.digest,)
        raise NotFound(Problem("unknown_rulebase", text, "rulebase", allowed=known))

    def activate(self, digest: str, effective_from: date | None, by: str, note: str) -> Activation:
        """Put a published rule base in force from a day on (default: today), once it is proved.

        When this returns, this process follows it; the others do within a second and compiling.
        Raises RulebaseError (``engine_trial_failed``) where it fails its trial: the rule base
        is to be mended, the service is well.
        """
        day = effective_from or local_today()
        try:
            prove(self.published(digest), max(day, local_today()))
        except EngineError as error:
            raise RulebaseError(replace(p, place="digest") for p in error.problems) from error
        found = self.follow_ups
        own = self.versions.own
        with found.database.begin() as connection:
            moment, key = now(), found.log_key
            heads.lock(connection)
            keep(connection, own, found.texts, moment, key)
            made = activate(
                connection, digest, day, moment, served=own.digest, by=by, note=note, log_key=key
            )
        self.versions.refresh()
        return made

    def rollback(self, by: str, note: str) -> Activation:
        """Take back the last activation that stands. Raises Conflict, where there is none."""
        found = self.follow_ups
        with found.database.begin() as connection:
            made = rollback(connection, now(), by=by, note=note, log_key=found.log_key)
        self.versions.refresh()
        return made

    def close(self) -> None:
        self._stopping.set()
        if self._warming is not None:
            self._warming.join()
        self.versions.stop()
        self.replayer.close()
        self.follow_ups.close()
        self.versions.close()


def evaluation_day(case: dict[str, Any], base: Rulebase) -> date | None:
    """The day of evaluation that a case names itself; None where it names none that fits."""
    for word, value in case.items():
        fact = base.vocabulary.named(word)
        if fact is not None and fact.key == AS_OF_ALIAS:
            try:
                day: date | None = from_wire(fact, value)
            except Unfit:
                return None
            return day
    return None


def database_url(settings: Settings) -> str:
    """The database of a service: the one named, else the file in its data folder."""
    return settings.database_url or file_url(Path(settings.data_dir) / "eligibility.db")


def now() -> datetime:
    """The moment, in UTC: like the day, read at the edge only."""
    return datetime.now(UTC)


def local_today() -> date:
    """The day it is where the service runs: the clock is read at the edge only."""
    return datetime.now().astimezone().date()
