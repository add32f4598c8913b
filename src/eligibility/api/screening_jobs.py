"""Runs the screenings that are asked for, each in a process of its own, one machine's few at once.

Every process of the service looks for work in the database (:data:`INTERVAL`). What it has
claimed it keeps under a lease while the child is at work; when it is told to stop it gives the
job back, and when it dies another process takes the job up once the lease has run out.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from threading import Event, Lock, Thread, current_thread
from time import monotonic, time

from eligibility.api.docket_files import DocketFiles, docket_name, result_name
from eligibility.api.metrics import Metrics
from eligibility.api.service import Service, now
from eligibility.docket.process import Child, Done, Failed, Task
from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records import screenings
from eligibility.records.rulebases import Library
from eligibility.records.screenings import Job, State
from eligibility.settings import Settings

INTERVAL = 1.0
"""Seconds between two looks for a job."""

BEAT = 1.0
"""Seconds between two words on a job that runs; what a cancellation waits at most."""

SWEEP = 60.0
"""Seconds between two looks for what is to be forgotten."""

ABANDONED = 24 * 3600.0
"""Seconds after which files that belong to no job are deleted."""

_TICK = 0.25
log = logging.getLogger("eligibility")


def files_of(settings: Settings) -> DocketFiles:
    return DocketFiles(Path(settings.screenings_dir or Path(settings.data_dir) / "screenings"))


class ScreeningJobs:
    """The jobs of one process of the service."""

    def __init__(self, service: Service, files: DocketFiles, metrics: Metrics) -> None:
        self._service, self.files, self._metrics = service, files, metrics
        self._settings = service.settings
        self.host = socket.gethostname()
        self._lease = timedelta(seconds=self._settings.screening_lease)
        self._stop, self._wake = Event(), Event()
        self._watch: Thread | None = None
        self._running: set[Thread] = set()
        self._lock = Lock()

    def start(self) -> None:
        """Begin to look for jobs in a thread."""
        self._stop.clear()
        self._watch = Thread(target=self._watching, name="screenings", daemon=True)
        self._watch.start()

    def wake(self) -> None:
        """Look for a job now: one was asked for."""
        self._wake.set()

    def stop(self) -> None:
        """Take up nothing more, end what runs and give it back."""
        self._stop.set()
        self._wake.set()
        if self._watch is not None:
            self._watch.join()
        with self._lock:
            running = list(self._running)
        for thread in running:
            thread.join()

    # --- looking for work ------------------------------------------------------------------------

    def _watching(self) -> None:
        swept = -SWEEP
        told: str | None = None
        while not self._stop.is_set():
            try:
                if monotonic() - swept >= SWEEP:
                    swept = monotonic()
                    self.sweep()
                while not self._stop.is_set() and self._begin():
                    pass
                told = None
            except Exception as error:  # of the database; it is asked again
                if told != str(error):
                    log.error("screenings wait: %s", error)
                told = str(error)
            self._wake.wait(INTERVAL)
            self._wake.clear()

    def _begin(self) -> bool:
        """Whether a job was claimed, and now runs."""
        database, most = self._service.follow_ups.database, self._settings.screening_jobs
        with self._lock:
            if len(self._running) >= most:
                return False
        with database.read() as connection:
            if not screenings.is_waiting(connection, now()):
                return False
        with database.begin() as connection:
            job = screenings.claim(
                connection, now(), host=self.host, most=most, lease=self._lease, holds=self._holds
            )
        if job is None:
            return False
        thread = Thread(target=self._run, args=(job,), name=f"screening {job.id}", daemon=True)
        with self._lock:
            self._running.add(thread)
        thread.start()
        return True

    def _holds(self, job: Job) -> bool:
        return self.files.docket(job.id, job.request["kind"]).is_file()

    # --- one job ---------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        log.info("screening %s runs, attempt %d", job.id, job.attempt)
        try:
            self._supervise(job)
        except EligibilityError as error:
            self._end(job, Failed([problem.as_dict() for problem in error.problems]))
        except Exception as error:
            log.error("screening %s failed", job.id, exc_info=error)
            said = Text("筛查出错", f"the screening failed: {type(error).__name__}")
            self._end(job, Failed([Problem("screening_failed", said).as_dict()]))
        finally:
            with self._lock:
                self._running.discard(current_thread())
            self.wake()

    def _supervise(self, job: Job) -> None:
        child = Child(self._task(job))
        try:
            counted, held, beaten = 0, monotonic() + self._lease.total_seconds(), monotonic()
            while not self._stop.is_set():
                said = child.said(_TICK)
                self._metrics.rows_screened.inc(child.rows - counted)
                counted = child.rows
                if said is not None:
                    if isinstance(said, Done):
                        self._metrics.rows_screened.inc(said.summary["rows"] - counted)
                    self._end(job, said)
                    return
                if monotonic() - beaten < BEAT:
                    continue
                beaten = monotonic()
                standing = self._beat(job, child)
                if standing == "ours":
                    held = monotonic() + self._lease.total_seconds()
                if standing == "cancelling":
                    child.end()
                    self._put_down(job, "cancelled")
                    return
                if standing == "lost" or monotonic() > held:
                    log.warning("screening %s was taken up by another process", job.id)
                    return
        finally:
            child.end()
        self._give_back(job)

    def _task(self, job: Job) -> Task:
        """Raises EligibilityError where its rule base cannot be read any more."""
        found, asked = self._service.follow_ups, job.request
        library = Library(found.database, found.log_key)
        library.get(job.digest)
        day, courts = asked["as_of"], asked["courts"]
        return Task(
            texts=library.texts(job.digest),
            folder=str(self.files.of(job.id).resolve()),
            docket=docket_name(asked["kind"]),
            result=result_name(job),
            today=date.fromisoformat(asked["today"]),
            as_of=date.fromisoformat(day) if day else None,
            profile=asked["profile"],
            dates=asked["dates"],
            courts=None if courts is None else frozenset(courts),
            workers=self._settings.screening_workers,
        )

    def _beat(self, job: Job, child: Child) -> str:
        """How the job stands; empty where the database cannot tell now."""
        try:
            with self._service.follow_ups.database.begin() as connection:
                return screenings.beat(connection, job, now(), self._lease, child.rows, child.read)
        except EligibilityError as error:
            log.warning("screening %s: %s", job.id, error)
            return ""

    def _end(self, job: Job, said: Done | Failed) -> None:
        if isinstance(said, Done):
            self._put_down(job, "done", said)
        else:
            codes = ", ".join(str(problem["code"]) for problem in said.problems)
            log.warning("screening %s failed: %s %s", job.id, codes, said.where)
            self._put_down(job, "failed", said)

    def _put_down(self, job: Job, state: State, said: Done | Failed | None = None) -> None:
        """How the job ended; tried until the database takes it or the service stops."""
        summary = said.summary if isinstance(said, Done) else None
        problems = said.problems if isinstance(said, Failed) else []
        rows = summary["rows"] if summary else None

        def put_down() -> Job | None:
            with self._service.follow_ups.database.begin() as connection:
                mine = screenings.finish(
                    connection, job, now(), state, rows=rows, summary=summary, problems=problems
                )
                return screenings.find(connection, job.id) if mine else None

        ended = self._insisting(job, put_down)
        if ended is not None:
            self.files.tidy(ended)
            log.info("screening %s %s", job.id, state)

    def _give_back(self, job: Job) -> None:
        def give_back() -> Job | None:
            with self._service.follow_ups.database.begin() as connection:
                screenings.give_back(connection, job, now())
                return screenings.find(connection, job.id)

        found = self._insisting(job, give_back)
        if found is not None:
            self.files.tidy(found)
            log.info("screening %s given back", job.id)

    def _insisting(self, job: Job, work: Callable[[], Job | None]) -> Job | None:
        """What the database is asked for, as often as it takes; while stopping, once."""
        while True:
            try:
                return work()
            except EligibilityError as error:
                log.warning("screening %s: %s", job.id, error)
            if self._stop.wait(INTERVAL):
                return None

    # --- clearing away ---------------------------------------------------------------------------

    def sweep(self) -> None:
        """Forget what is old, and delete files that no job needs."""
        moment = now()
        kept = moment - timedelta(days=self._settings.screening_retention_days)
        database = self._service.follow_ups.database
        with database.read() as connection:
            stale = screenings.any_before(connection, kept)
            mine = screenings.waiting_of(connection, self.host, moment)
        if stale:
            with database.begin() as connection:
                forgotten = screenings.forget(connection, kept)
            for job_id in forgotten:
                self.files.remove(job_id)
        for job in mine:
            if not self._holds(job):
                self._docket_lost(job)
        self._sweep_files()

    def _docket_lost(self, job: Job) -> None:
        said = Text("案件表文件已不在", "the file of the docket is gone")
        lost = [Problem("docket_lost", said).as_dict()]
        with self._service.follow_ups.database.begin() as connection:
            screenings.finish(connection, job, now(), "failed", problems=lost)

    def _sweep_files(self) -> None:
        """What is left of processes that died between the files and the database."""
        written = self.files.last_written()
        moment = time()
        with self._service.follow_ups.database.read() as connection:
            jobs = screenings.among(connection, list(written))
        for name, at in written.items():
            if name in jobs:
                self.files.tidy(jobs[name])
            elif moment - at > ABANDONED + self._settings.docket_timeout:
                self.files.remove(name)
