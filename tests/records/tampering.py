"""What somebody who gets at the database file could do to the log of decisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from eligibility.records import chain, decisions
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database
from eligibility.records.verification import Verification
from records.samples import DAY, KEY, NOW, later, record
from rulebase.rulebases import base_rulebase

COUNT = 12
"""Records of the fixture ``log``."""


def record_whole(connection: Connection, number: int = 0, **given: Any) -> str:
    """A decision whose body says what its columns say, sealed."""
    made = decisions.new_id(later(number))
    values: dict[str, Any] = {
        "case_no": f"（2024）苏0902执{number}号",
        "outcome": "need_info" if number % 2 else "eligible",
        "channel": "court_report",
        "log_key": KEY,
        "caller": f"court {number}",
        "versions": '{"eligibility":"0"}',
        "findings": f'{{"derived":{{}},"verdicts":{{"true":["X-{number}"]}}}}',
        "now": later(number),
    } | given
    body = {
        "decision_id": made,
        "case_no": values["case_no"],
        "outcome": values["outcome"],
        "profile": values.get("profile", "national"),
        "as_of": values.get("as_of", DAY).isoformat(),
        "rulebase": {"version": "test", "digest": base_rulebase().digest},
        "engine": "native",
    }
    text = json.dumps(body, ensure_ascii=False)
    return record(connection, decision_id=made, **({"body": text} | values))


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The file as any program could open it, without what refuses changes; kept at the end."""
    with closing(sqlite3.connect(folder / "records.db", isolation_level=None)) as connection:
        connection.text_factory = bytes
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in connection.execute(triggers).fetchall():
            connection.execute(f"DROP TRIGGER {name.decode()}")
        yield connection


def codes(found: Verification) -> list[tuple[int, str]]:
    return [(finding.seq, finding.problem.code) for finding in found.findings]


def exported(log: Database) -> Checkpoint:
    with log.begin() as connection:
        made = chain.checkpoint(connection, KEY, NOW)
    assert made is not None
    return made
