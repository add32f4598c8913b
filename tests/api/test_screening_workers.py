"""A large docket is screened by several processes of the service, which end with its job."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from eligibility.api.app import create_app
from eligibility.settings import Settings
from rulebase.rulebases import BASE, base_rulebase

PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
ROWS = 120_000
AT_WORK = ("queued", "running")


@pytest.fixture(name="client")
def fixture_client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=str(tmp_path), rules=str(BASE), engine="native", screening_workers=2
    )
    with TestClient(create_app(base_rulebase(), settings)) as client:
        yield client


@pytest.fixture(name="docket", scope="module")
def fixture_docket() -> bytes:
    sink = pa.BufferOutputStream()
    names = [f"（2024）苏0902执{number}号" for number in range(ROWS)]
    pq.write_table(pa.table({"case_no": names}), sink, row_group_size=20_000)
    return bytes(sink.getvalue().to_pybytes())


def children_of(pid: int) -> list[int]:
    """The processes that a process started by spawning."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text("ascii").split()]
        return [one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    except OSError:  # it has ended meanwhile
        return []


def workers() -> list[int]:
    """Those that the processes of jobs started."""
    return [one for child in children_of(os.getpid()) for one in children_of(child)]


def until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    ends = time.monotonic() + 240
    while not enough(found := look()):
        assert time.monotonic() < ends, found
        time.sleep(0.02)
    return found


def ended(client: TestClient, url: str) -> dict[str, Any]:
    found = until(lambda: client.get(url).json(), lambda job: job["state"] not in AT_WORK)
    return dict(found)


def test_a_large_docket_is_screened_by_several(client: TestClient, docket: bytes) -> None:
    url = client.post("/v1/screenings", content=docket, headers=PARQUET).json()["links"]["self"]
    pids = until(workers, lambda found: len(found) == 2)
    for pid in [*pids, *children_of(os.getpid())]:
        os.kill(pid, signal.SIGTERM)  # as whoever ends a service tells all its processes
    job = ended(client, url)
    assert (job["state"], job["rows_done"]) == ("done", ROWS)
    assert job["bytes_done"] == job["bytes_total"] == len(docket)
    result = pq.read_table(pa.BufferReader(client.get(f"{url}/result").content))
    assert result["case_no"].to_pylist() == pq.read_table(pa.BufferReader(docket))[0].to_pylist()
    until(workers, lambda found: found == [])


def test_they_end_with_a_job_that_is_cancelled(
    client: TestClient, docket: bytes, tmp_path: Path
) -> None:
    made = client.post("/v1/screenings", content=docket, headers=PARQUET).json()
    pids = until(workers, lambda found: len(found) == 2)
    client.post(f"{made['links']['self']}/cancel")
    assert ended(client, made["links"]["self"])["state"] == "cancelled"
    until(lambda: [pid for pid in pids if alive(pid)], lambda found: found == [])
    until(lambda: (tmp_path / "screenings" / made["id"]).exists(), lambda exists: not exists)


def test_they_end_with_the_service(tmp_path: Path, docket: bytes) -> None:
    settings = Settings(
        data_dir=str(tmp_path), rules=str(BASE), engine="native", screening_workers=2
    )
    with TestClient(create_app(base_rulebase(), settings)) as client:
        url = client.post("/v1/screenings", content=docket, headers=PARQUET).json()["links"]["self"]
        pids = until(workers, lambda found: len(found) == 2)
    until(lambda: [pid for pid in pids if alive(pid)], lambda found: found == [])
    with TestClient(create_app(base_rulebase(), settings)) as client:  # begins again
        job = ended(client, url)
        assert (job["state"], job["rows_done"]) == ("done", ROWS)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
