"""What processes that screen have in common: they end with their parent and tell no case."""

from __future__ import annotations

import os
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from traceback import extract_tb

from eligibility.errors import Problem, Text

MOST_WORKERS = 12
"""More would only wait for the process that writes."""
_SHOWN_FRAMES = 5


def end_with_parent() -> None:
    """Ends this process when the one that started it is gone: nobody is left to be told."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, name="end-with-parent", daemon=True).start()


def crashed(code: int | None) -> Problem:
    """A process ended without a word."""
    said = Text(
        f"筛查进程异常终止（{code}），多因内存不足",
        f"the process that screened ended with {code}; memory may have run out",
    )
    return Problem("screening_crashed", said)


def failed(error: BaseException) -> tuple[Problem, str]:
    """An unforeseen error, whose own words may quote a case, and the lines of code it arose in."""
    said = Text("筛查出错", f"the screening failed: {type(error).__name__}")
    frames = extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
    where = ", ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
    return Problem("screening_failed", said), where


def usual_workers() -> int:
    """How many processes screen where nobody says how many."""
    return min(usable_cores(), MOST_WORKERS)


def usable_cores() -> int:
    """The processors that this process may use: of its affinity and its control group."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no such limit
        return cores
