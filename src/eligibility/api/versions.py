"""The rule bases in service: compiled, few at a time, swapped whole.

The rows of activations in the database are the only truth. Every process looks at the number of
the last one twice a second (:data:`INTERVAL`) in a thread of its own, compiles what has come into
force, and only then lets requests have it; a request holds one version from beginning to end.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from threading import Event, Lock, RLock, Thread
from time import monotonic

from eligibility.decision.decide import Decider
from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records import activations
from eligibility.records.activations import Schedule
from eligibility.records.database import Database
from eligibility.records.rulebases import Library
from eligibility.rulebase.model import Rulebase

INTERVAL = 0.5
"""Seconds between two looks at the schedule; with compiling, how stale a process can be."""

RETRY = 30.0
"""Seconds until a version that could not be loaded is tried again."""

READY = 4
"""Versions kept compiled, besides the one in force."""

log = logging.getLogger("eligibility")


class Version:
    """One rule base, compiled. ``users``: the requests that hold it now."""

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.decider = Decider(rulebase)
        self.users = 0
        self.retired = False


class Versions:
    """The version in force and those asked for by day or by digest; shared by threads.

    ``problem`` says why the schedule of the database is not the one that is followed: the
    process then goes on with what it had.
    """

    def __init__(
        self,
        own: Rulebase,
        engine: str,
        today: Callable[[], date],
    ) -> None:
        self.own = own
        self.engine = engine
        self.today = today
        self.problem: Problem | None = None
        self.schedule = Schedule()
        self.current = Version(own)
        self._took_over: Callable[[Version], None] = lambda _: None
        self._database: Database | None = None
        self._library: Library | None = None
        self._ready: OrderedDict[str, Version] = OrderedDict({own.digest: self.current})
        self._lock = Lock()
        self._building = RLock()
        self._stop = Event()
        self._watch: Thread | None = None
        self._tried, self._again_at = 0, 0.0

    # --- which one -------------------------------------------------------------------------------

    def digest_on(self, day: date) -> str:
        """The digest in force on a day, by the schedule that this process follows."""
        return self.schedule.on(day) or self.own.digest

    def is_ready(self, digest: str) -> bool:
        """Whether it is compiled, so that a request need not wait for it."""
        return digest in self._ready

    def rulebase(self, digest: str) -> Rulebase:
        """The published rule base of a digest. Raises NotFound, RecordsError."""
        found = self._ready.get(digest)
        if found is not None:
            return found.rulebase
        if digest == self.own.digest or self._library is None:
            return self.own
        return self._library.get(digest)

    @contextmanager
    def using(self, digest: str) -> Iterator[Version]:
        """The version of a digest, which stays compiled while the block runs."""
        version = self._hold(digest)
        try:
            yield version
        finally:
            self._release(version)

    def _hold(self, digest: str) -> Version:
        found = self._held(digest)
        if found is not None:
            return found
        with self._building:
            found = self._held(digest)
            if found is not None:
                return found
            made = self._compiled(digest)
            made.users = 1
            self._admit(made)
            return made

    def _held(self, digest: str) -> Version | None:
        with self._lock:
            found = self._ready.get(digest)
            if found is not None:
                self._ready.move_to_end(digest)
                found.users += 1
            return found

    def _release(self, version: Version) -> None:
        with self._lock:
            version.users -= 1
            done = version.retired and version.users == 0
        if done:
            version.decider.close()

    def _compiled(self, digest: str) -> Version:
        version = Version(self.rulebase(digest))
        try:
            self.warm_up(version)
        except BaseException:
            version.decider.close()
            raise
        return version

    def warm_up(self, version: Version) -> None:
        """Compile every profile for today, so that no request waits for it."""
        for profile in version.rulebase.profiles:
            version.decider.decide({}, today=self.today(), profile=profile, engine=self.engine)

    def _admit(self, version: Version) -> None:
        """Take a version in; those least lately used make room and are closed when free."""
        free = []
        with self._lock:
            self._ready[version.rulebase.digest] = version
            spare = [d for d, v in self._ready.items() if v not in (version, self.current)]
            for digest in spare[: max(len(spare) - READY + 1, 0)]:
                old = self._ready.pop(digest)
                old.retired = True
                if old.users == 0:
                    free.append(old)
        for old in free:
            old.decider.close()

    # --- following the schedule ------------------------------------------------------------------

    def attach(
        self, database: Database, library: Library, took_over: Callable[[Version], None]
    ) -> None:
        """Follow the schedule of a database; who ``took_over`` is told on every change.

        Raises where what is in force cannot be loaded.
        """
        self._database, self._library, self._took_over = database, library, took_over
        self._follow()

    def refresh(self) -> None:
        """Look at the schedule now; what fails is logged and kept as :attr:`problem`."""
        try:
            followed = self._follow()
        except Exception as error:  # whatever it is, the version in force serves on
            self._failed(error)
            return
        if followed and self.problem is not None:
            log.warning("the schedule of rule bases is followed again")
            self.problem = None

    def _failed(self, error: Exception) -> None:
        problem = _problem(error)
        if problem != self.problem:
            log.error("%s; rule base %s serves on", error, self.current.rulebase.digest)
        self.problem = problem

    def _follow(self) -> bool:
        """Whether the schedule is followed; False while what failed is not tried again yet."""
        if self._database is None:
            return True
        with self._building:
            with self._database.read() as connection:
                last = activations.latest(connection)
                changed = last != self.schedule.sequence
                found = activations.schedule(connection) if changed else self.schedule
            today = self.today()
            wanted = found.on(today) or self.own.digest
            if not changed and wanted == self.current.rulebase.digest:
                return True
            if last == self._tried and monotonic() < self._again_at:
                return False
            self._tried, self._again_at = last, monotonic() + RETRY
            for day in (today + timedelta(days=1), today):
                with self.using(found.on(day) or self.own.digest) as version:
                    pass
            self._swap(found, version)
            self._again_at = 0.0
            return True

    def _swap(self, found: Schedule, version: Version) -> None:
        before = self.current.rulebase.digest
        self.current, self.schedule = version, found
        self._took_over(version)
        if before != version.rulebase.digest:
            log.warning(
                "rule base %s %s in force (%s before)",
                version.rulebase.version,
                version.rulebase.digest,
                before,
            )

    def start(self) -> None:
        """Begin to watch the schedule in a thread."""
        self._stop.clear()
        self._watch = Thread(target=self._watching, name="rule bases", daemon=True)
        self._watch.start()

    def _watching(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.refresh()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join()

    def close(self) -> None:
        """Let go of everything compiled."""
        with self._lock:
            versions = [*self._ready.values()]
        for version in versions:
            version.decider.close()


def _problem(error: Exception) -> Problem:
    if isinstance(error, EligibilityError) and error.problems:
        return error.problems[0]
    zh, en = "未能载入现行规则库", "the rule base in force could not be loaded"
    return Problem("rulebase_not_loaded", Text(f"{zh}：{error}", f"{en}: {error}"), "rulebase")
