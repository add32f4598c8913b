"""A docket screened in a process of its own, which can be ended at any moment.

The child is started afresh (``spawn``), gives way to everything else on the machine (``nice``)
and ends with the process that started it. It works inside one folder and names files by their
names in it, so that no result tells where the service keeps its files.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

from eligibility.docket.children import crashed, end_with_parent, failed
from eligibility.errors import EligibilityError

Connection = Any  # of multiprocessing: only the side of a pipe that it is matters
NICE = 10
EVERY = 0.5
"""Seconds between two reports of a child."""

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """What to screen: ``docket`` and ``result`` are names of files in ``folder``.

    ``texts``: the rule base, file name -> YAML. ``courts``, ``workers``: as :func:`run` takes them.
    """

    texts: Mapping[str, str]
    folder: str
    docket: str
    result: str
    today: date
    as_of: date | None
    profile: str | None
    dates: bool
    courts: frozenset[str] | None
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """The result is whole and on the disk."""

    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no result; problems as :meth:`Problem.as_dict` gives them.

    ``where``: the lines of code that an unforeseen error arose in, for a log.
    """

    problems: list[dict[str, Any]]
    where: str = ""


class Child:
    """One run. ``rows``, ``read``: how far it was (rows, bytes) when it last told."""

    def __init__(self, task: Task) -> None:
        self.rows = self.read = 0
        context = get_context("spawn")
        self._receive, send = context.Pipe(duplex=False)
        self._process = context.Process(target=_screen, args=(task, send))
        self._process.start()
        # Ours is closed, so that the end of the child is the end of the pipe.
        send.close()

    def said(self, seconds: float) -> Done | Failed | None:
        """How it ended; None if it is still at work after some seconds."""
        until = monotonic() + seconds
        while self._receive.poll(max(until - monotonic(), 0)):
            try:
                said = self._receive.recv()
            except EOFError:
                return self._vanished()
            if isinstance(said, (Done, Failed)):
                return said
            self.rows, self.read = said
        return None

    def end(self) -> None:
        """Ends it if it is still at work, and lets go of it."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._receive.close()
        self._process.close()

    def _vanished(self) -> Failed:
        self._process.join(_PATIENCE)
        return Failed([crashed(self._process.exitcode).as_dict()])


def _screen(task: Task, send: Connection) -> None:
    """What the child does."""
    # Whoever stops the service stops the process that started this one, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_parent()
    os.nice(NICE)
    os.umask(0o077)
    os.chdir(task.folder)
    try:
        send.send(Done(_screened(task, send)))
    except EligibilityError as error:
        send.send(Failed([problem.as_dict() for problem in error.problems]))
    except Exception as error:  # its message may quote a case
        problem, where = failed(error)
        send.send(Failed([problem.as_dict()], where))


def _screened(task: Task, send: Connection) -> dict[str, Any]:
    from eligibility.decision.decide import Decider
    from eligibility.docket.facts import DocketFacts, holds_docket_facts
    from eligibility.docket.run import Gather, Progress, run_docket
    from eligibility.docket.screening import Screening
    from eligibility.rulebase.loader import load

    told_at = 0.0

    def tell(progress: Progress) -> None:
        nonlocal told_at
        if monotonic() - told_at >= EVERY:
            told_at = monotonic()
            send.send((progress.rows, progress.bytes_done))

    base = load(task.texts)
    decider = Decider(base)
    screening = Screening(decider, task.today, task.as_of, task.profile, task.dates)
    files, out = [Path(task.docket)], Path(task.result)
    gather: Gather | None = None
    if holds_docket_facts(base):
        gather = partial(
            DocketFacts.of_mentions, rulebase=base, profile=task.profile, day=task.as_of
        )
    tally, facts = run_docket(
        screening, files, out, gather, courts=task.courts, workers=task.workers, progress=tell
    )
    for path in (out, Path()):
        sync(path)
    return tally.as_dict() | ({"docket": facts.summary()} if facts else {})


def sync(path: Path) -> None:
    """What was written to a file, or the names in a folder, is on the disk afterwards."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
