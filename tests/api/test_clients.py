"""A client generated from the document of the running service: type-checked, then used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = '''
"""What a user of the generated client writes."""
import datetime
import sys

from eligibility_client import Client
from eligibility_client.api.decisions import decide_v1_decisions_post as decide
from eligibility_client.api.follow_up import (
    list_decisions_v1_decisions_get as listing,
    list_duties_v1_follow_ups_get as duties,
    one_decision_v1_decisions_decision_id_get as one,
    record_event_v1_events_post as events,
)
from eligibility_client.models import (
    Decision, DecisionList, DecisionRequest, DecisionRequestFacts, EventAnswer, EventRequest,
    FollowUpList, ProblemDocument,
)


def request(number: int) -> DecisionRequest:
    facts = {"case_no": f"（2024）苏0902执{number}号", "court_id": "亭湖法院",
             "request_channel": "court_report", "returned_before": "否"}
    return DecisionRequest(DecisionRequestFacts.from_dict(facts), as_of="2024-09-02")


def main() -> None:
    client = Client(sys.argv[1])
    made: list[str] = []
    for number in (1, 2, 3):
        for _ in range(2):
            answer = decide.sync(client=client, body=request(number), idempotency_key=str(number))
            assert isinstance(answer, Decision), answer
            assert isinstance(answer.decision_id, str)
            made.append(answer.decision_id)
    assert len(set(made)) == 3
    kept = one.sync(made[0], client=client)
    assert isinstance(kept, Decision) and kept.decision_id == made[0]

    seen: list[str] = []
    page = listing.sync(client=client, limit=2)
    while True:
        assert isinstance(page, DecisionList), page
        seen += [entry.decision_id for entry in page.decisions]
        if page.next_ is None:
            break
        page = listing.sync(client=client, limit=2, cursor=page.next_)
    assert sorted(seen) == sorted(set(made)), seen

    day = datetime.date(2024, 9, 2)
    happened = EventRequest("收到申请或报请", day, case_no="（2024）苏0902执1号")
    recorded = events.sync(client=client, body=happened)
    assert isinstance(recorded, EventAnswer) and recorded.new, recorded
    owed = duties.sync(client=client, case_no="（2024）苏0902执1号", as_of=day)
    assert isinstance(owed, FollowUpList) and owed.follow_ups, owed

    wrong = DecisionRequest(DecisionRequestFacts.from_dict({"case_no": "1"}), profile="nowhere")
    refused = decide.sync(client=client, body=wrong)
    assert isinstance(refused, ProblemDocument) and refused.code == "unknown_profile", refused


main()
'''

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a service in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"ELIGIBILITY_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "eligibility", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


def test_a_generated_client_works(served: str, tmp_path: Path) -> None:
    """Every endpoint is generated (a warning fails), and the calls a case system makes work."""
    _run(ROOT / "scripts" / "make-client", served, tmp_path / "eligibility_client", at=tmp_path)
    (tmp_path / "user.py").write_text(USER, "utf-8")
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = true\n[mypy-eligibility_client.*]\nfollow_imports = silent\n", "utf-8"
    )
    _run(sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "user.py", at=tmp_path)
    _run(sys.executable, "user.py", served, at=tmp_path)


def _run(*command: str | Path, at: Path) -> None:
    env = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(
        command, cwd=at, env=env, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
