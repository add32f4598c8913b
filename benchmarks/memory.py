"""Work done in a process of its own, and the most memory that it and its children held."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
EVERY = 0.1  # seconds


def apart(work: Callable[..., T], *given: object) -> tuple[T, float]:
    """What ``work`` returns in a new process, and the peak of the tree in MB (Linux; else 0).

    Pages that processes share count once (PSS), looked at ten times a second.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(int).result()
        (pid,) = pool._processes
        peaks, over = [0.0], threading.Event()

        def watch() -> None:
            while not over.wait(EVERY):
                peaks[0] = max(peaks[0], sum(map(_held, _tree(pid))) / 1024)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return pool.submit(work, *given).result(), peaks[0]
        finally:
            over.set()
            watcher.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))


def _held(pid: int) -> int:
    """Kilobytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
