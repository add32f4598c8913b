"""Whether the service can decide and record now, found out by trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from time import monotonic

from sqlalchemy import func, select

from eligibility.api.requests import DecisionInput
from eligibility.api.service import Service, now
from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records import chain, screenings
from eligibility.records.database import check_writable
from eligibility.records.tables import CHECKPOINTS, DECISIONS

KEPT = 1.0
"""Seconds for which what was found out is told again."""


class Readiness:
    """The reasons why the service is not ready, if any."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.started = self.draining = False
        self._lock = Lock()
        self._found: tuple[float, Sequence[Problem]] | None = None

    def problems(self) -> Sequence[Problem]:
        """Empty: ready. Tries the database and both engines at most once in ``KEPT`` seconds."""
        if self.draining:
            return [Problem("shutting_down", Text("服务正在停止", "the service is stopping"))]
        if not self.started:
            return [Problem("starting", Text("服务正在启动", "the service is starting"))]
        with self._lock:
            if self._found is None or monotonic() - self._found[0] > KEPT:
                found = [*self._of(self._records), *self._of(self._engines)]
                self._found = (monotonic(), found)
            return self._found[1]

    def _of(self, attempt: Callable[[], None]) -> Sequence[Problem]:
        try:
            attempt()
        except EligibilityError as error:
            return error.problems
        return ()

    def _records(self) -> None:
        follow_ups = self.service.follow_ups
        with follow_ups.database.begin() as connection:
            check_writable(connection)
            chain.check_key(connection, follow_ups.log_key)
        if self.service.versions.problem is not None:
            raise EligibilityError(self.service.versions.problem)

    def _engines(self) -> None:
        self.service.decide(DecisionInput({}, None, None, None), full=False)

    def state(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """For ``/metrics``: the rule base, and the log where it can be read."""
        base = self.service.rulebase
        labels = {"version": str(base.version), "digest": base.digest}
        yield "eligibility_rulebase_info", "the rule base in force", labels, 1.0
        backlog = self.service.follow_ups.recorder.backlog()
        lag = max(backlog.oldest_wait, self.service.recording.oldest_wait())
        yield "eligibility_log_lag_seconds", "longest wait to be on record", {}, lag
        try:
            with self.service.follow_ups.database.read() as connection:
                records = connection.execute(select(func.max(DECISIONS.c.seq))).scalar() or 0
                latest = connection.execute(select(func.max(CHECKPOINTS.c.made_at))).scalar()
                jobs = screenings.counts(connection)
        except EligibilityError:
            return
        yield "eligibility_log_records", "decisions on record", {}, float(records)
        for name, count in jobs.items():
            yield "eligibility_screenings", "screenings kept", {"state": name}, float(count)
        if latest is not None:
            age = (now() - latest).total_seconds()
            yield "eligibility_checkpoint_age_seconds", "age of the last checkpoint", {}, age
