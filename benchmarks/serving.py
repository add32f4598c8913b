"""Servers to measure, each a process (with its workers) of its own, and what they are asked.

What is measured is what a user runs: ``python -m eligibility serve``. Reads ``/proc`` (Linux).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count, cycle
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

import yaml

from eligibility.rulefiles import shipped

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 20
SETTLE_SECONDS = 0.3
IDLE_TICKS = 2  # of the clock, within SETTLE_SECONDS
ROOT = Path(__file__).resolve().parent.parent
NUMBER = "#NUMBER#"
PACKAGES = ("eligibility", "fastapi", "starlette", "uvicorn", "pydantic", "durable-rules")


class Server:
    """A server process: listening when entered, ended with its workers when left."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.port = _free_port()

    @classmethod
    def eligibility(cls, folder: Path, workers: int = 1) -> Self:
        """The service, with its log in an empty folder."""
        return cls(["eligibility", "serve", "--workers", str(workers)], folder)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {"ELIGIBILITY_DATA_DIR": str(self.folder), "ELIGIBILITY_LOG_LEVEL": "warning"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ELIGIBILITY_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.arguments, "--port", str(self.port)],
            cwd=ROOT,
            env=kept | given,
        )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def post(self, path: str, body: bytes) -> bytes:
        """The answer to one request; raises where it is refused."""
        request = Request(
            f"http://{HOST}:{self.port}{path}", body, {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=START_SECONDS) as answer:
            found: bytes = answer.read()
        return found

    def rss(self) -> int:
        """Bytes of memory that the process and all its descendants occupy."""
        return sum(_rss(pid) for pid in tree(self.process.pid))

    def settle(self) -> None:
        """Wait until the processes are idle: what was given up may still be under way."""
        until = monotonic() + START_SECONDS
        before, now = -IDLE_TICKS - 1, self._ticks()
        while now - before > IDLE_TICKS and monotonic() < until:
            sleep(SETTLE_SECONDS)
            before, now = now, self._ticks()

    def _ticks(self) -> int:
        return sum(_ticks(pid) for pid in tree(self.process.pid))

    def _wait(self) -> None:
        until = monotonic() + START_SECONDS
        while monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.arguments} ended with {self.process.returncode}")
            try:
                urlopen(f"http://{HOST}:{self.port}/healthz", timeout=START_SECONDS).close()
                return
            except OSError:
                sleep(0.05)
        raise RuntimeError(f"{self.arguments} did not start within {START_SECONDS} s")

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in tree(self.process.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = file.read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children.setdefault(int(after_name[1]), []).append(int(file.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _rss(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _ticks(pid: int) -> int:
    """Processor time of a process, in clock ticks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return 0
    after_name = text.rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def end_orderly() -> None:
    """Let a termination end the servers as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        found: int = probe.getsockname()[1]
    return found


def examples() -> list[tuple[bytes, bytes]]:
    """The shipped examples as bodies in two parts: between them goes the case's number."""
    found = []
    for file in sorted(shipped("examples").glob("*.yaml")):
        read: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
        case = {k: v for k, v in read["case"].items() if k not in ("case_no", "执行案号")}
        body = {"case": {"case_no": NUMBER, **case}, "profile": read.get("profile")}
        given = {key: value for key, value in body.items() if value is not None}
        text = json.dumps(given, ensure_ascii=False, default=str)
        head, _, tail = text.partition(NUMBER)
        found.append((head.encode(), tail.encode()))
    return found


def bodies() -> Iterator[bytes]:
    """Bodies of decision requests without end; no two have the same case number."""
    for (head, tail), number in zip(cycle(examples()), count(1)):
        yield b"%b%010d%b" % (head, number, tail)


def machine(folder: Path) -> str:
    """Where figures come from: processor, load, where the log is, versions."""
    info = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    held = [(at, kind) for at, kind in mounts if folder.is_relative_to(at)]
    kind = max(held, key=lambda m: len(m[0]), default=("", "unknown"))[1]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} before; log on {kind}\nPython {python}, {versions}"
    )
