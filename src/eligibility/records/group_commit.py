"""Group commit: what several threads want written at the same time is one transaction.

Syncing a disk takes as long for thirty records as for one. The first thread to come writes;
those that come meanwhile wait, and the first of them writes for all who wait by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from eligibility.errors import Problem, Text
from eligibility.records.database import RecordsError

MOST = 64
"""Items of one transaction."""

ROOM = 512
"""Items that may wait; whoever comes then is refused at once."""

T = TypeVar("T")
R = TypeVar("R")


class Backlog(NamedTuple):
    """What waits to be written: how many, and for how many seconds the first of them."""

    length: int
    oldest_wait: float


class _Waiting(Generic[T, R]):
    """One item, and what became of it: ``outcome`` has a value when ``done``."""

    __slots__ = ("done", "item", "outcome", "since", "woken")

    def __init__(self, item: T) -> None:
        self.item = item
        self.since = monotonic()
        self.woken = Event()
        self.done = False
        self.outcome: R | BaseException | None = None


class GroupCommit(Generic[T, R]):
    """Hands items to ``write`` in groups, in the order in which they came.

    ``write`` keeps all that it returns for good before it returns: for each item its result,
    or the exception that is that item's alone. What it raises is every item's.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[R | Exception]],
        most: int = MOST,
        room: int = ROOM,
    ) -> None:
        self._write = write
        self._most = most
        self._room = room
        self._lock = Lock()
        self._queue: deque[_Waiting[T, R]] = deque()
        self._group: list[_Waiting[T, R]] = []
        self._led = False

    def submit(self, item: T) -> R:
        """The result of an item; once this returns, it is kept for good.

        Raises RecordsError (``records_busy``) where too many wait, and what writing it raised.
        """
        (outcome,) = self.submit_all([item])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def submit_all(self, items: Sequence[T]) -> list[R | BaseException]:
        """The result of each item, or what writing it raised: one after the other, and as few
        groups as may be. Once this returns, what has a result is kept for good.

        Raises RecordsError (``records_busy``) where too many wait: then none of them is kept.
        """
        own: list[_Waiting[T, R]] = [_Waiting(item) for item in items]
        if not own:
            return []
        with self._lock:
            if len(self._queue) >= self._room:
                raise RecordsError(BUSY)
            self._queue.extend(own)
            leads, self._led = not self._led, True
        for waiting in own:
            if not leads:
                waiting.woken.wait()
            leads = False
            if not waiting.done:
                self._lead()
        # All are done, so each has an outcome; the type allows for one that is not yet.
        return [waiting.outcome for waiting in own]  # type: ignore[misc]

    def backlog(self) -> Backlog:
        """What waits now, with what is being written."""
        with self._lock:
            waiting = [*self._group, *self._queue]
        oldest = min((w.since for w in waiting), default=None)
        return Backlog(len(waiting), 0.0 if oldest is None else monotonic() - oldest)

    def _lead(self) -> None:
        """Write the head of the queue, which is the caller's own item, and what fits with it."""
        with self._lock:
            count = min(len(self._queue), self._most)
            self._group = group = [self._queue.popleft() for _ in range(count)]
        try:
            outcomes = self._write([waiting.item for waiting in group])
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        except BaseException as error:
            # INVARIANT: nobody is told that something is kept unless all of the group is
            for waiting in group:
                waiting.outcome = error if waiting is group[0] else for_another(error)
        finally:
            self._finish(group)

    def _finish(self, group: Sequence[_Waiting[T, R]]) -> None:
        """Tell the group; the next who waits leads."""
        with self._lock:
            self._group = []
            following = self._queue[0] if self._queue else None
            self._led = following is not None
        for waiting in group:
            waiting.done = True
            waiting.woken.set()
        if following is not None:
            following.woken.set()


def for_another(error: BaseException) -> BaseException:
    """The same failure for another thread; an interrupt of the one is none of the others."""
    if isinstance(error, RecordsError):
        return RecordsError(error.problems)
    if isinstance(error, Exception):
        return error
    said = Text("写入被中断", "writing was interrupted")
    return RecordsError(Problem("database_unavailable", said))


BUSY = Problem(
    "records_busy",
    Text(
        f"等待留存的决定过多（{ROOM} 项），请稍后重试",
        f"too many decisions wait to be recorded ({ROOM}); try again later",
    ),
)
