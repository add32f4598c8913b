"""What is to be sent and what was answered, on the disk: a restart goes on from there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

Data = dict[str, Any]
_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, path TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', answer TEXT);
CREATE TABLE IF NOT EXISTS duties (id TEXT PRIMARY KEY, entry TEXT NOT NULL);
"""


class Message(NamedTuple):
    """One request, the same each time it is sent. ``key`` names it; ``body`` is its JSON."""

    key: str
    path: str
    body: str


class Outbox:
    """Messages in the order in which they came. One process at a time works on a file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_TABLES)

    def put(self, messages: list[Message]) -> int:
        """Keep messages to be sent, all or none; how many are new.

        Raises ValueError for a key that stands for something else already.
        """
        new = 0
        with self._db:
            for message in messages:
                known = self._db.execute(
                    "SELECT key, path, body FROM outbox WHERE key = ?", (message.key,)
                ).fetchone()
                if known is None:
                    self._db.execute("INSERT INTO outbox (key, path, body) VALUES (?,?,?)", message)
                    new += 1
                elif Message(*known) != message:
                    raise ValueError(
                        f"{message.key}: 此键已用于其他内容 / stands for other content"
                    )
        return new

    def waiting(self) -> list[Message]:
        """What has no answer yet, oldest first."""
        found = self._db.execute(
            "SELECT key, path, body FROM outbox WHERE state = 'waiting' ORDER BY seq"
        )
        return [Message(*row) for row in found]

    def settle(self, message: Message, state: str, answer: str) -> None:
        """``state``: answered or refused; on the disk when this returns."""
        with self._db:
            self._db.execute(
                "UPDATE outbox SET state = ?, answer = ? WHERE key = ?",
                (state, answer, message.key),
            )

    def answers(self, state: str) -> list[tuple[Message, Data]]:
        found = self._db.execute(
            "SELECT key, path, body, answer FROM outbox WHERE state = ? ORDER BY seq", (state,)
        )
        return [(Message(*row[:3]), json.loads(row[3])) for row in found]

    def keep_duties(self, duties: list[Data]) -> None:
        """The duties as the service last listed them."""
        rows = [(duty["id"], json.dumps(duty, ensure_ascii=False)) for duty in duties]
        with self._db:
            self._db.execute("DELETE FROM duties")
            self._db.executemany("INSERT OR REPLACE INTO duties VALUES (?, ?)", rows)

    def close(self) -> None:
        self._db.close()
