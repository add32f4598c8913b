"""The example of a case system against a real service that is killed while it is asked."""

from __future__ import annotations

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLE = EXAMPLES / "case_system" / "sample.jsonl"
CASES = 60

pytestmark = pytest.mark.slow


class Served:
    """A service in a process of its own, on one port and one data folder."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.env = os.environ | {"ELIGIBILITY_DATA_DIR": str(folder / "data")}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "eligibility", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, *options], env=self.env, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        for _ in range(600):
            try:
                if httpx.get(f"{self.base}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError(self.base)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def decisions(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.base}/v1/decisions", params={"limit": 200})
        made: list[dict[str, Any]] = answer.raise_for_status().json()["decisions"]
        return made


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    service = Served(tmp_path)
    yield service
    service.kill()


def begin(base: str, store: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "case_system", "--base", base, "--store", str(store)]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=EXAMPLES,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run(base: str, store: Path, *arguments: str, **env: str) -> tuple[int, str]:
    process = begin(base, store, *arguments, **env)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def kept(store: Path, state: str) -> dict[str, Any]:
    """The answers by key that the client holds."""
    with sqlite3.connect(store) as db:
        rows = db.execute("SELECT key, answer FROM outbox WHERE state = ?", (state,)).fetchall()
    db.close()
    return {key: json.loads(answer) if answer else None for key, answer in rows}


def many(path: Path) -> Path:
    """A file of cases, each with the event that it began with."""
    lines = []
    for n in range(CASES):
        no, day = f"（2024）苏0902执{n}号", "2024-09-02"
        case = {"case_no": no, "court_id": "亭湖法院", "request_channel": "court_report"}
        event = {"case_no": no, "type": "requested", "on": day}
        lines += [{"key": f"c{n}", "case": case, "as_of": day}, {"key": f"e{n}", "event": event}]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


def test_either_side_is_killed_and_nothing_is_lost_or_doubled(
    served: Served, tmp_path: Path
) -> None:
    """The service twice, the client once, each with SIGKILL while there is work under way."""
    store, file = tmp_path / "outbox.db", many(tmp_path / "many.jsonl")
    served.start()
    served.wait()
    client = begin(served.base, store, "send", str(file))
    chance = random.Random(7)
    before = 0
    for victim in ("service", "client", "service"):
        await_answers(store, before + 1)
        time.sleep(chance.uniform(0, 0.05))
        assert kept(store, "waiting")
        if victim == "service":
            served.kill()
            served.start()
        else:
            client.kill()
            client.communicate()
            client = begin(served.base, store, "send")
        before = len(kept(store, "answered"))
    out, err = client.communicate(timeout=120)
    assert client.returncode == 0, out + err
    assert kept(store, "waiting") == kept(store, "refused") == {}
    answers = kept(store, "answered")
    assert len(answers) == 2 * CASES
    held = {answers[f"c{n}"]["decision_id"] for n in range(CASES)}
    made = served.decisions()
    assert len(made) == CASES  # no duplicates
    assert {d["decision_id"] for d in made} == held  # no losses
    for n in range(0, CASES, 7):
        since = httpx.get(f"{served.base}/v1/cases/（2024）苏0902执{n}号/follow-up").json()
        assert [e["id"] for e in since["events"]] == [f"e{n}"]


def await_answers(store: Path, least: int) -> None:
    for _ in range(600):
        try:
            if store.exists() and len(kept(store, "answered")) >= least:
                return
        except sqlite3.OperationalError:  # not a table yet
            pass
        time.sleep(0.02)
    raise TimeoutError(store)


class Gateway(BaseHTTPRequestHandler):
    """Between client and service: answers 503 first, then loses an answer, then passes on."""

    base = ""
    times: list[float]

    def do_POST(self) -> None:
        type(self).times.append(time.monotonic())
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(self.times) == 1:
            self.send_response(503)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        names = ("Content-Type", "Idempotency-Key")
        headers = {n: self.headers[n] for n in names if n in self.headers}
        answer = httpx.post(self.base + self.path, content=body, headers=headers)
        if len(self.times) == 2:  # recorded, and the caller never hears of it
            self.connection.close()
            self.close_connection = True
            return
        self._pass(answer)

    def do_GET(self) -> None:
        self._pass(httpx.get(self.base + self.path))

    def _pass(self, answer: httpx.Response) -> None:
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_busy_service_is_waited_for_and_a_lost_answer_asked_again(
    served: Served, tmp_path: Path
) -> None:
    served.start()
    served.wait()
    handler = type("Handler", (Gateway,), {"base": served.base, "times": []})
    store = tmp_path / "outbox.db"
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as gateway:
        thread = Thread(target=gateway.serve_forever)
        thread.start()
        try:
            code, said = run(f"http://127.0.0.1:{gateway.server_port}", store, "send", str(SAMPLE))
        finally:
            gateway.shutdown()
            thread.join()
    assert code == 0, said
    times = handler.times  # type: ignore[attr-defined]
    assert times[1] - times[0] >= 2  # Retry-After
    assert len(times) == 5  # three messages, two of them tried again
    assert len(served.decisions()) == 2


def test_a_duty_is_shown_answered_and_gone(served: Served, tmp_path: Path) -> None:
    served.start()
    served.wait()
    store, day = tmp_path / "outbox.db", ("--as-of", "2024-09-19")
    code, said = run(served.base, store, *day, "send", str(SAMPLE))
    assert code == 0
    assert "已逾期 （2024）苏0902执1号" in said
    duty = next(line.split()[0] for line in said.splitlines() if "已逾期" in line)
    facts = json.dumps({"decided_mode": "designate", "receiving_court": "阜宁法院"})
    report = ("report", duty, "decided", "2024-09-19", "--facts", facts)
    code, said = run(served.base, store, *day, *report)
    assert code == 0, said
    assert duty not in said


def test_what_waits_is_kept_while_the_service_is_away(served: Served, tmp_path: Path) -> None:
    store = tmp_path / "outbox.db"
    code, said = run(served.base, store, "--patience", "0.5", "send", str(SAMPLE))
    assert (code, len(kept(store, "waiting"))) == (75, 3), said
    other = tmp_path / "other.jsonl"
    other.write_text(SAMPLE.read_text("utf-8").replace("2024-09-02", "2024-09-03"), "utf-8")
    code, said = run(served.base, store, "send", str(other))
    assert (code, "2024-0902-1" in said) == (65, True), said  # the key is of other content
    served.start()
    code, said = run(served.base, store, "send")
    assert (code, len(kept(store, "answered"))) == (0, 3), said


def test_the_key_of_the_environment_is_sent(served: Served, tmp_path: Path) -> None:
    """Without a key nothing is given up; with it everything is answered."""
    made = subprocess.run(
        [sys.executable, "-m", "eligibility", "keys", "create", "cs", "--role", "case_system"],
        env=served.env,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    key = next(word for word in made.stdout.split() if word.startswith("elg_"))
    served.env |= {"ELIGIBILITY_AUTH": "keys"}
    served.start()
    served.wait()
    store = tmp_path / "outbox.db"
    code, said = run(served.base, store, "send", str(SAMPLE))
    assert (code, len(kept(store, "waiting"))) == (75, 3), said
    code, said = run(served.base, store, "send", ELIGIBILITY_KEY=key)
    assert (code, len(kept(store, "answered"))) == (0, 3), said
