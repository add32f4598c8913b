"""A docket that was accepted is screened, once, whatever process dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from eligibility.records.database import file_url
from faults.served import BASE, Served, served, wait_until
from records import postgres

pytestmark = pytest.mark.slow
ROWS = 400
LEASE = "2"


def docket(rows: int) -> bytes:
    """As an office program writes it."""
    lines = [f"（2024）苏0902执{number}号,某县法院,报请" for number in range(rows)]
    return "\r\n".join(["案号,执行法院,启动方式", *lines, "坏,某县法院,无此方式"]).encode("gb18030")


def by_command(folder: Path, body: bytes) -> bytes:
    """What ``eligibility screen`` makes of the same file."""
    folder.mkdir()
    (folder / "docket.csv").write_bytes(body)
    options = ["-o", "out.csv", "--as-of", "2025-06-01", "--rules", str(BASE)]
    command = [sys.executable, "-m", "eligibility", "screen", "docket.csv", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "out.csv").read_bytes()


def submit(service: Served, body: bytes, **query: str) -> str:
    answer = httpx.post(
        f"{service.address}/v1/screenings",
        params={"as_of": "2025-06-01", **query},
        content=body,
        headers={"Content-Type": "text/csv"},
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    return service.address + answer.headers["location"]


def state(job: str) -> Any:
    try:
        return httpx.get(job, timeout=10).json()["state"]
    except (httpx.TransportError, KeyError):
        return None


def result(service: Served, job: str) -> bytes:
    wait_until(lambda: state(job) not in (None, "queued", "running"), service.said())
    found = httpx.get(job).json()
    assert found["state"] == "done", found
    answer = httpx.get(f"{job}/result")
    assert answer.status_code == 200
    return answer.content


def screeners(service: Served) -> list[tuple[int, int]]:
    """Processes that screen, each behind the worker that it belongs to."""
    found = []
    for worker in service.workers():
        try:
            told = Path(f"/proc/{worker}/task").glob("*/children")
            pids = [int(pid) for path in told for pid in path.read_text("ascii").split()]
        except FileNotFoundError:
            continue
        for pid in pids:
            try:
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append((worker, pid))
            except FileNotFoundError:
                continue
    return found


def test_the_result_is_that_of_the_command_or_there_is_none(tmp_path: Path) -> None:
    body = docket(ROWS)
    with served(tmp_path, file_url(tmp_path / "records.db")) as service:
        jobs = [submit(service, body), submit(service, body)]
        most = 0

        def done() -> bool:
            nonlocal most
            most = max(most, len(screeners(service)))
            return all(state(job) == "done" for job in jobs)

        wait_until(done, service.said())
        assert most == 1  # of two workers one runs one job at a time
        expected = by_command(tmp_path / "command", body)
        assert [result(service, job) for job in jobs] == [expected, expected]
        found = httpx.get(jobs[0]).json()["summary"]
        assert (found["rows"], found["rejected"]["count"]) == (ROWS + 1, 1)
        job = submit(service, docket(20_000), dates="true")
        wait_until(lambda: screeners(service), "it runs")
        os.kill(screeners(service)[0][1], signal.SIGKILL)
        wait_until(lambda: state(job) == "failed", service.said())
        assert httpx.get(job).json()["problems"][0]["code"] == "screening_crashed"


def test_killed_processes_and_a_stop_lose_no_job(tmp_path: Path) -> None:
    body = docket(ROWS)
    url = file_url(tmp_path / "records.db")
    with served(tmp_path, url, screening_lease=LEASE) as service:
        job = submit(service, body)
        wait_until(lambda: screeners(service), "it runs")
        ((worker, child),) = screeners(service)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{child}").exists(), "it ends with its worker")
        wait_until(lambda: screeners(service), "another worker takes it up")
        service.kill_all()
        service.start()
        service.wait()
        wait_until(lambda: screeners(service), "the service takes it up again")
        service.stop()
        service.start()
        service.wait()
        assert result(service, job) == by_command(tmp_path / "command", body)
        kept = Path(tmp_path / "screenings" / job.rpartition("/")[2])
        wait_until(lambda: len(list(kept.iterdir())) == 1, "only the result is kept")


def test_a_stop_gives_the_job_back_at_once(tmp_path: Path, server: postgres.Server) -> None:
    """On PostgreSQL, with a lease longer than the test: nobody waits for it to run out."""
    body = docket(ROWS)
    with served(tmp_path, server.url, screening_lease="3600") as service:
        job = submit(service, body)
        wait_until(lambda: screeners(service), "it runs")
        service.stop()
        service.start()
        service.wait()
        assert result(service, job) == by_command(tmp_path / "command", body)
