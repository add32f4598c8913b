"""Decisions of one event loop on their way to the disk: groups, failures, too many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from eligibility.api import recording
from eligibility.api.recording import Recording
from eligibility.errors import Problem, Text
from eligibility.records.database import RecordsError
from eligibility.records.drafts import Answer, Draft

BROKEN = RecordsError(Problem("database_unavailable", Text("坏了", "broken")))


class Disk:
    """Writes when told to; a draft is an integer here, and so is its answer."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.go = threading.Event()
        self.failing: Exception | None = None

    def write(self, drafts: Sequence[Draft]) -> list[Answer | BaseException]:
        self.groups.append([*drafts])
        assert self.go.wait(20)
        if self.failing is not None:
            raise self.failing
        return [BROKEN if cast(int, d) < 0 else cast(Answer, d) for d in drafts]


def ask(made: Recording, number: int) -> asyncio.Task[Any]:
    return asyncio.ensure_future(made.record(cast(Draft, number)))


async def written(disk: Disk, groups: int) -> None:
    while len(disk.groups) < groups:
        await asyncio.sleep(0.001)


def test_what_comes_while_a_group_is_written_is_the_next_group() -> None:
    disk = Disk()

    async def run() -> list[Any]:
        made = Recording(disk.write)
        first = [ask(made, n) for n in (1, 2)]
        await written(disk, 1)
        later = [ask(made, n) for n in (3, -4, 5)]
        await asyncio.sleep(0.01)
        assert made.oldest_wait() > 0.005
        disk.go.set()
        answers = await asyncio.gather(*first, *later, return_exceptions=True)
        assert made.oldest_wait() == 0
        return answers

    assert asyncio.run(run()) == [1, 2, 3, BROKEN, 5]
    assert disk.groups == [[1, 2], [3, -4, 5]]


def test_a_group_that_fails_fails_for_all_and_the_next_is_written() -> None:
    disk = Disk()
    disk.go.set()
    disk.failing = BROKEN

    async def run() -> None:
        made = Recording(disk.write)
        asked = [ask(made, 1), ask(made, 2)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [getattr(error, "code", None) for error in found] == ["database_unavailable"] * 2
        disk.failing = None
        assert await ask(made, 3) == 3

    asyncio.run(run())


def test_a_caller_who_hangs_up_stops_nothing() -> None:
    disk = Disk()

    async def run() -> None:
        made = Recording(disk.write)
        gone, stays = ask(made, 1), ask(made, 2)
        await written(disk, 1)
        gone.cancel()
        disk.go.set()
        assert await stays == 2

    asyncio.run(run())
    assert disk.groups == [[1, 2]]


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "ROOM", 2)
    disk = Disk()

    async def run() -> None:
        made = Recording(disk.write)
        first = ask(made, 0)
        await written(disk, 1)
        waiting = [ask(made, n) for n in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(RecordsError) as caught:
            await made.record(cast(Draft, 3))
        assert caught.value.code == "records_busy"
        disk.go.set()
        assert await asyncio.gather(first, *waiting) == [0, 1, 2]

    asyncio.run(run())
