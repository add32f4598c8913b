"""Decisions of one event loop on their way to the disk.

Decisions that are ready while a group is being written are the next group: one hand-over to a
thread and one transaction for all of them (:mod:`eligibility.records.group_commit` then joins
them with those of other threads).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool

from eligibility.records.database import RecordsError
from eligibility.records.drafts import Answer, Draft
from eligibility.records.group_commit import BUSY, MOST, ROOM, for_another

LULL = 3
"""Turns of the loop without a new decision after which a group is written: a request takes one
to be read, one to be begun, and one to be decided."""

Write = Callable[[Sequence[Draft]], Sequence[Answer | BaseException]]


class _Waiting(NamedTuple):
    draft: Draft
    answer: asyncio.Future[Answer]
    since: float


class Recording:
    """Hands drafts to ``write`` in groups, in the order in which they came."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._queue: deque[_Waiting] = deque()
        self._group: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, draft: Draft) -> Answer:
        """The answer to a draft; once this returns, it is kept for good.

        Raises RecordsError (``records_busy``) where too many wait, and what recording it raised.
        """
        if len(self._queue) >= ROOM:
            raise RecordsError(BUSY)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(draft, loop.create_future(), monotonic())
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        # Whoever asked may hang up; what is recorded stays recorded.
        return await waiting.answer

    def oldest_wait(self) -> float:
        """For how many seconds the first of those that wait has waited."""
        waiting = [*self._group[:1], *list(self._queue)[:1]]
        return max((monotonic() - each.since for each in waiting), default=0.0)

    async def _write_all(self) -> None:
        """Groups until nothing waits."""
        try:
            while self._queue:
                await self._lull()
                count = min(len(self._queue), MOST)
                self._group = [self._queue.popleft() for _ in range(count)]
                await self._write_group(self._group)
                self._group = []
        finally:
            self._writing = None

    async def _lull(self) -> None:
        """Until no more come: requests that have arrived by now are decided first."""
        quiet = 0
        while quiet < LULL and len(self._queue) < MOST:
            before = len(self._queue)
            await asyncio.sleep(0)
            quiet = 0 if len(self._queue) > before else quiet + 1

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        outcomes: Sequence[Answer | BaseException]
        try:
            outcomes = await run_in_threadpool(self._write, [w.draft for w in group])
        except BaseException as error:
            for waiting in group:
                _tell(waiting.answer, for_another(error))
            if not isinstance(error, Exception):
                raise
            return
        for waiting, outcome in zip(group, outcomes, strict=True):
            _tell(waiting.answer, outcome)


def _tell(answer: asyncio.Future[Answer], outcome: Answer | BaseException) -> None:
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
