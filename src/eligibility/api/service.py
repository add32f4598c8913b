"""What the routes share: the rule base in force, its decider, and how requests are bounded."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eligibility.api.models import decision_request
from eligibility.api.requests import DecisionInput
from eligibility.decision.decide import Decided, Decider
from eligibility.errors import NotFound, Problem, Text, nearest
from eligibility.records import chain
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.idempotency import Once, once
from eligibility.records.names import check_name, check_texts
from eligibility.records.replay import Replayer
from eligibility.records.seals import LogKey
from eligibility.rulebase.model import Court, Rulebase
from eligibility.rulefiles import read_texts, rules_folder
from eligibility.settings import Settings, log_secret

NAMED_BY = ("case_no", "court_id", "receiving_court")


class Service:
    """One rule base ready to decide."""

    def __init__(self, rulebase: Rulebase, settings: Settings) -> None:
        self.rulebase = rulebase
        self.settings = settings
        self.decider = Decider(rulebase)
        self.request_shape: type[BaseModel] = decision_request(rulebase.vocabulary)

    @cached_property
    def follow_ups(self) -> FollowUps:
        """The records: opened with the service, so that it does not start without them.

        Nor with another key than theirs: nothing could be recorded.
        """
        found = FollowUps(
            Database.open(database_url(self.settings)),
            self.decider,
            read_texts(rules_folder(self.settings.rules)),
            LogKey(log_secret(self.settings)),
        )
        try:
            with found.database.read() as connection:
                chain.check_key(connection, found.log_key)
        except RecordsError:
            found.close()
            raise
        return found

    @cached_property
    def replayer(self) -> Replayer:
        """Decides again what is on record, apart from what is decided now."""
        return Replayer(self.follow_ups.database, self.follow_ups.log_key)

    def decide(self, asked: DecisionInput, full: bool) -> dict[str, Any]:
        """The decision asked for, by today's date where none is given; nothing is recorded."""
        return self._decided(asked, full).body

    def _decided(self, asked: DecisionInput, full: bool) -> Decided:
        self.check_digest(asked.rulebase)
        with self.follow_ups.lock:
            return self.decider.decided(
                asked.case,
                today=local_today(),
                as_of=asked.as_of,
                profile=asked.profile,
                engine=self.settings.engine,
                full=full,
            )

    def record(self, asked: DecisionInput, full: bool, key: str | None = None) -> dict[str, Any]:
        """The decision asked for, on record when this returns.

        The same ``key`` (of the header Idempotency-Key) again: the decision recorded for it.
        """
        request: dict[str, Any] = {"case": asked.case, "profile": asked.profile}
        request["as_of"] = asked.as_of.isoformat() if asked.as_of else None
        given = {key: value for key, value in request.items() if value is not None}
        asked_once = self._once(key, {**given, "rulebase": asked.rulebase, "full": full})
        earlier = self.follow_ups.answered(asked_once) if asked_once else None
        if earlier is not None:
            return earlier
        self._check_names(asked.case)
        made = self._decided(asked, full)
        return self.follow_ups.record_decision(
            given, made.body, now(), once=asked_once, found=made.found
        )

    def _check_names(self, case: dict[str, Any]) -> None:
        """What the case is found by must be fit to be kept. Raises FactsError."""
        for word, value in case.items():
            fact = self.rulebase.vocabulary.named(word)
            if fact is not None and fact.key in NAMED_BY:
                check_name(value, fact.key)
        check_texts(case, "case")

    def _once(self, key: str | None, request: dict[str, Any]) -> Once | None:
        return None if key is None else once(key, request)

    def court(self, name: str) -> Court:
        """The court of the register with this id, name or alias. Raises NotFound."""
        found = self.decider.register.find(name)
        if found is not None:
            return found
        shown = name[:80]
        known = [w for c in self.rulebase.courts.values() for w in (c.id, c.label.zh, *c.aliases)]
        text = Text(f"法院名录中没有“{shown}”", f"the court register has no '{shown}'")
        raise NotFound(Problem("unknown_court", text, "court", hint=nearest(shown, known)))

    def warm_up(self) -> None:
        """Compile every profile, so that no request waits for it."""
        for profile in self.rulebase.profiles:
            self.decider.decide(
                {}, today=local_today(), profile=profile, engine=self.settings.engine
            )

    def check_digest(self, digest: str | None) -> None:
        """Refuse to decide by another rule base than the one asked for."""
        if digest is None or digest == self.rulebase.digest:
            return
        text = Text(
            f"未载入该规则库，现行规则库为 {self.rulebase.digest}",
            f"that rule base is not loaded; in force is {self.rulebase.digest}",
        )
        known = (self.rulebase.digest,)
        raise NotFound(Problem("unknown_rulebase", text, "rulebase", allowed=known))

    def close(self) -> None:
        self.replayer.close()
        self.follow_ups.close()
        self.decider.close()


def database_url(settings: Settings) -> str:
    """The database of a service: the one named, else the file in its data folder."""
    return settings.database_url or file_url(Path(settings.data_dir) / "eligibility.db")


def now() -> datetime:
    """The moment, in UTC: like the day, read at the edge only."""
    return datetime.now(UTC)


def local_today() -> date:
    """The day it is where the service runs: the clock is read at the edge only."""
    return datetime.now().astimezone().date()
