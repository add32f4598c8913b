"""One service over a file whose permission to be written is taken and given back.

Run by ``test_read_only.py`` in a process of its own, with the folder as argument. A connection
that is opened meanwhile can only read, and would stay in the pool when that is over.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import select

from eligibility.api import readiness
from eligibility.api.app import create_app
from eligibility.records.database import Database
from eligibility.records.tables import DECISIONS
from eligibility.rulefiles import load_rules
from eligibility.settings import Settings

FILES, FOLDER = 0o400, 0o700


def main(folder: Path) -> None:
    readiness.KEPT = -1.0
    settings = Settings(data_dir=str(folder), engine="native", log_key="k" * 40)
    app = create_app(load_rules(), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        database: Database = app.state.service.follow_ups.database
        sent = {"json": {"case": {"case_no": "1"}}, "headers": {"Idempotency-Key": "one"}}
        first = client.post("/v1/decisions", json={"case": {"case_no": "0"}})
        assert first.status_code == 201, first.text
        print("acknowledged")
        other = in_use(folder)
        database.close()  # so that connections are opened anew, as they are one day
        mode(folder, FILES, FOLDER)
        refused = [client.post("/v1/decisions", **sent) for _ in range(3)]
        for answer in (*refused, client.get("/readyz")):
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "database_unavailable"
            assert "readonly" in answer.json()["detail"], answer.text
        shown = client.get(f"/v1/decisions/{first.json()['decision_id']}")
        assert shown.content == first.content, shown.text
        print("refused")
        mode(folder, 0o600, 0o700)
        client.get("/readyz")  # the first to write finds the connections that can only read
        again = client.post("/v1/decisions", **sent)
        assert again.status_code == 201, again.text
        assert client.get("/readyz").status_code == 200
        with database.read() as connection:
            kept = set(connection.execute(select(DECISIONS.c.id)).scalars())
        assert kept == {first.json()["decision_id"], again.json()["decision_id"]}
        print("acknowledged")
        other.close()


def in_use(folder: Path) -> sqlite3.Connection:
    """Another process has the file open, so that its write-ahead log stays."""
    other = sqlite3.connect(folder / "eligibility.db")
    other.execute("SELECT count(*) FROM decisions").fetchone()
    return other


def mode(folder: Path, files: int, own: int) -> None:
    folder.chmod(0o700)
    for path in folder.glob("eligibility.db*"):
        path.chmod(files)
    folder.chmod(own)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
