"""Processes of this machine that screen one docket together.

Each is started afresh (``spawn``: threads do not survive a fork), keeps one compiled rule base,
and works on one reference after another. What it finds goes into files without a name and
is mapped by whoever started it, in the order of the references. No process may be further
ahead than a few references, so that what waits is bounded, and waits on the disk.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any

import pyarrow as pa

from eligibility.decision.decide import Decider
from eligibility.docket import parcels
from eligibility.docket.children import crashed, end_with_parent, failed
from eligibility.docket.parcels import Place
from eligibility.docket.parts import write_faults
from eligibility.docket.references import Reference
from eligibility.docket.screening import Screening
from eligibility.errors import EligibilityError, EngineError, Problem
from eligibility.rulebase.model import Rulebase

QUEUED = 2
"""References that a process has at once: one that it works on, and the next."""
_FOR_THE_PARENT = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What all processes screen by."""

    rulebase: Rulebase
    today: date
    as_of: date | None
    profile: str | None
    dates: bool
    ignored: frozenset[str]

    @classmethod
    def of(cls, screening: Screening) -> Order:
        return cls(
            screening.decider.rulebase,
            screening.today,
            screening.as_of,
            screening.profile,
            screening.dates,
            screening.ignored,
        )

    def screening(self) -> Screening:
        """One of this process's own."""
        decider = Decider(self.rulebase)
        return Screening(decider, self.today, self.as_of, self.profile, self.dates, self.ignored)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a process of a crew has at hand; ``shared``: of :meth:`Crew.share`."""

    screening: Screening
    shared: Any = None


Work = Callable[[Bench, Reference], Iterator[Any]]
"""Gives what it finds of a reference bit by bit; goes to the processes by its name."""


# --- what is said -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    work: Work
    reference: Reference


@dataclass(frozen=True, slots=True)
class _Share:
    """A handle follows."""

    place: Place


@dataclass(frozen=True, slots=True)
class _Begun:
    """Of a reference; the handle of the file with what is found follows."""

    number: int


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    place: Place


@dataclass(frozen=True, slots=True)
class _Ended:
    """With a reference; ``problems``: why it could not be done, an error of ``kind``."""

    number: int
    kind: type[EligibilityError] | None = None
    problems: tuple[Problem, ...] = ()


# --- the one who started it ---------------------------------------------------------------------


@dataclass(slots=True)
class _Hand:
    """One process. ``has``: how many references."""

    process: BaseProcess
    line: Connection
    has: int = 0


@dataclass(slots=True)
class _Waiting:
    """What was found of a reference and not looked at yet."""

    handle: int | None = None
    places: deque[Place] = field(default_factory=deque)
    ended: _Ended | None = None

    def let_go(self) -> None:
        if self.handle is not None:
            os.close(self.handle)


class Crew:
    """Processes at one's service until :meth:`close`. What waits does so on the disk of ``out``,
    the file that comes of it, which faults of that disk are told of.
    """

    def __init__(self, order: Order, size: int, out: Path) -> None:
        self._out = out
        self._hands: list[_Hand] = []
        context = get_context("spawn")
        try:
            for _ in range(size):
                ours, theirs = context.Pipe()
                arguments = (theirs, order, out)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                with _unheard():
                    process.start()
                # Theirs is closed here, so that the end of the process is the end of the line.
                theirs.close()
                self._hands.append(_Hand(process, ours))
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        return len(self._hands)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes, whatever they are doing: none has anything to lose."""
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.process.close()
            hand.line.close()
        self._hands.clear()

    def share(self, thing: Any) -> Any:
        """Gives something to all processes; returned is the copy in the memory that all share."""
        with write_faults(self._out), parcels.unnamed(self._out.parent) as file:
            place = parcels.put(file, thing)
            for hand in self._hands:
                self._tell(hand, _Share(place), file.fileno())
            return parcels.get(file.fileno(), place)

    def each(self, work: Work, references: Sequence[Reference]) -> Iterator[Any]:
        """What ``work`` finds in the references, in their order. One after another: whoever does
        not look at all of it, or meets an error, needs another crew.

        Raises what it raises on the first of them that it raises on, EngineError
        (``screening_failed``) for an unforeseen error, EngineError (``screening_crashed``) where a
        process ends.
        """
        waiting: dict[int, _Waiting] = {}
        left = deque(enumerate(references))
        try:
            for number in range(len(references)):
                yield from self._found(number, work, left, waiting)
        finally:
            for found in waiting.values():
                found.let_go()

    def _found(
        self,
        number: int,
        work: Work,
        left: deque[tuple[int, Reference]],
        waiting: dict[int, _Waiting],
    ) -> Iterator[Any]:
        """What is found in the reference of this number; the processes go on with others."""
        while True:
            self._give(number, work, left, waiting)
            found = waiting[number]
            if found.places:
                assert found.handle is not None
                yield parcels.get(found.handle, found.places.popleft())
                self._hear(waiting, 0)
            elif found.ended is None:
                self._hear(waiting, None)
            else:
                break
        waiting.pop(number).let_go()
        if found.ended.kind is not None:
            raise found.ended.kind(found.ended.problems)

    def _give(
        self,
        number: int,
        work: Work,
        left: deque[tuple[int, Reference]],
        waiting: dict[int, _Waiting],
    ) -> None:
        """References to those that have few, as long as none gets too far ahead of ``number``."""
        most = number + len(self._hands) * (QUEUED + 1)
        while left and left[0][0] < most:
            hand = min(self._hands, key=lambda hand: hand.has)
            if hand.has >= QUEUED:
                return
            given, reference = left.popleft()
            waiting[given] = _Waiting()
            hand.has += 1
            self._tell(hand, _Task(given, work, reference))

    def _hear(self, waiting: dict[int, _Waiting], seconds: float | None) -> None:
        """Take what the processes have to say; ``seconds``: to wait for the first of them."""
        lines = {hand.line: hand for hand in self._hands}
        for line in wait(list(lines), seconds):
            assert isinstance(line, Connection)
            self._heard(lines[line], waiting)

    def _heard(self, hand: _Hand, waiting: dict[int, _Waiting]) -> None:
        try:
            said = hand.line.recv()
            if isinstance(said, _Begun):
                waiting[said.number].handle = recv_handle(hand.line)
            elif isinstance(said, _Found):
                waiting[said.number].places.append(said.place)
            else:
                waiting[said.number].ended = said
                hand.has -= 1
        except (EOFError, OSError):
            raise self._gone(hand) from None

    def _tell(self, hand: _Hand, said: _Task | _Share, handle: int | None = None) -> None:
        try:
            hand.line.send(said)
            if handle is not None:
                send_handle(hand.line, handle, hand.process.pid)
        except OSError:
            raise self._gone(hand) from None

    def _gone(self, hand: _Hand) -> EngineError:
        hand.process.join(_PATIENCE)
        return EngineError(crashed(hand.process.exitcode))


@contextmanager
def _unheard() -> Iterator[None]:
    """What starts meanwhile hears nothing of Ctrl-C or of the end of a service, which go to all
    processes of a terminal or service: the one that started it ends it.
    """
    resource_tracker.ensure_running()  # or it would be started below, and lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- a process ----------------------------------------------------------------------------------


def _serve(line: Connection, order: Order, out: Path) -> None:
    """What a process does until it is ended."""
    for number in _FOR_THE_PARENT:
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # keeps a tenth less than the others here
    bench = Bench(order.screening())
    while True:
        try:
            said = line.recv()
            if isinstance(said, _Share):
                handle = recv_handle(line)
                bench = Bench(bench.screening, parcels.get(handle, said.place))
                os.close(handle)
                continue
            _do(said, bench, line, out)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(1)


def _do(task: _Task, bench: Bench, line: Connection, out: Path) -> None:
    """Works on one reference, and says what it finds."""
    try:
        with write_faults(out), parcels.unnamed(out.parent) as file:
            line.send(_Begun(task.number))
            send_handle(line, file.fileno(), None)
            for found in task.work(bench, task.reference):
                line.send(_Found(task.number, parcels.put(file, found)))
        line.send(_Ended(task.number))
    except EligibilityError as error:
        line.send(_Ended(task.number, type(error), error.problems))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        problem, where = failed(error)
        line.send(_Ended(task.number, EngineError, (replace(problem, place=where),)))
