"""Whatever is done to the log of decisions afterwards is found, and where."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from eligibility.errors import MalformedInput
from eligibility.records import chain, checkpoints
from eligibility.records.chain import ADDED, SEALED
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database
from eligibility.records.rulebases import Library
from eligibility.records.seals import LogKey
from eligibility.records.tables import CHECKPOINTS, DECISIONS
from eligibility.records.verification import MOST_SHOWN, verify
from records.samples import KEY, NOW, later
from records.tampering import COUNT, codes, exported, opened, record_whole

OTHER = LogKey("another key of the tests, as long as it needs")


# --- what is done to a log ------------------------------------------------------------------------


def test_every_byte_that_is_changed_is_found(
    log: Database, library: Library, tmp_path: Path
) -> None:
    """A thousand random places in the values of the records, one after the other."""
    chance = random.Random(20260102)
    done = 0
    with opened(tmp_path) as raw:
        while done < 1000:
            seq, column = chance.randint(1, COUNT), chance.choice([*SEALED, *ADDED, "hash"])
            before = value_of(raw, seq, column)
            if before is None:
                continue
            after = corrupted(chance, before, digits=column == "seq")
            try:
                change(raw, seq, column, after)
            except sqlite3.IntegrityError:  # another record has this number
                continue
            done += 1
            found = verify(log, KEY, library=library)
            now = int(after) if column == "seq" else seq
            assert not found.intact, (seq, column, before, after)
            assert codes(found)[0][0] == seq or column == "seq"
            change(raw, now, column, before)
    assert verify(log, KEY, library=library).intact


def value_of(raw: sqlite3.Connection, seq: int, column: str) -> bytes | None:
    (value,) = raw.execute(f"SELECT {column} FROM decisions WHERE seq = ?", (seq,)).fetchone()
    return str(value).encode() if isinstance(value, int) else value


def corrupted(chance: random.Random, value: bytes, digits: bool) -> bytes:
    place = chance.randrange(len(value))
    while True:
        byte = chance.choice(b"123456789") if digits else chance.randrange(256)
        if byte != value[place]:
            return value[:place] + bytes([byte]) + value[place + 1 :]


def change(raw: sqlite3.Connection, seq: int, column: str, value: bytes) -> None:
    kind = "INTEGER" if column == "seq" else "TEXT"
    raw.execute(f"UPDATE decisions SET {column} = CAST(? AS {kind}) WHERE seq = ?", (value, seq))


@pytest.mark.parametrize("column", [*SEALED[1:], *ADDED, "hash"])
def test_a_value_that_is_taken_away_or_given_is_found(
    log: Database, tmp_path: Path, column: str
) -> None:
    with opened(tmp_path) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')")
    with opened(tmp_path) as raw:
        (value,) = raw.execute(f"SELECT {column} FROM decisions WHERE seq = 6").fetchone()
        new = "''" if value is None else "NULL"
        raw.execute(f"UPDATE decisions SET {column} = {new} WHERE seq = 6")
    assert 6 in {seq for seq, _ in codes(verify(log, KEY))}


@pytest.mark.parametrize("gone", [[1], [5], [4, 5, 6], [1, 2, 3]])
def test_records_that_were_removed(log: Database, tmp_path: Path, gone: list[int]) -> None:
    with opened(tmp_path) as raw:
        raw.execute(f"DELETE FROM decisions WHERE seq IN ({', '.join(map(str, gone))})")
    found = verify(log, KEY)
    assert codes(found) == [(max(gone) + 1, "records_removed")]
    assert str(len(gone)) in found.findings[0].problem.message.en


def test_a_record_that_was_removed_and_the_others_numbered_again(
    log: Database, tmp_path: Path
) -> None:
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM decisions WHERE seq = 5")
        for seq in range(6, COUNT + 1):
            raw.execute("UPDATE decisions SET seq = ? WHERE seq = ?", (seq - 1, seq))
    assert codes(verify(log, KEY))[0] == (5, "record_changed")


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 9), (COUNT - 1, COUNT)])
def test_records_that_changed_places(log: Database, tmp_path: Path, one: int, other: int) -> None:
    with opened(tmp_path) as raw:
        for old, new in ((one, 1000), (other, one), (1000, other)):
            raw.execute("UPDATE decisions SET seq = ? WHERE seq = ?", (new, old))
    assert codes(verify(log, KEY))[0] == (one, "record_changed")


@pytest.mark.parametrize("place", [0, 6, COUNT + 1])
def test_a_record_that_was_put_in(log: Database, tmp_path: Path, place: int) -> None:
    """A copy of a true record, seal and all, with the numbers after it moved on."""
    names = ", ".join(name for name in (*SEALED, "hash") if name not in ("seq", "id"))
    with opened(tmp_path) as raw:
        for seq in range(COUNT, max(place, 1) - 1, -1):
            raw.execute("UPDATE decisions SET seq = ? WHERE seq = ?", (seq + 1, seq))
        (source,) = raw.execute(
            "SELECT max(seq) FROM decisions WHERE seq != ?", (place,)
        ).fetchone()
        raw.execute(
            f"INSERT INTO decisions (seq, id, {names}) SELECT ?, 'new', {names} FROM decisions"
            " WHERE seq = ?",
            (max(place, 1), source),
        )
    assert codes(verify(log, KEY))[0] == (max(place, 1), "record_changed")


@pytest.mark.parametrize("k", [1, 3, COUNT])
def test_a_log_that_was_cut_off(log: Database, tmp_path: Path, k: int) -> None:
    made = exported(log)
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM decisions WHERE seq > ?", (COUNT - k,))
    assert codes(verify(log, KEY)) == [(COUNT, "records_cut_off")]  # by the one inside
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM checkpoints")
    assert verify(log, KEY).intact  # nothing inside tells any more
    assert codes(verify(log, KEY, [made])) == [(COUNT, "records_cut_off")]


def test_a_log_that_was_cut_off_and_continued(log: Database, tmp_path: Path) -> None:
    made = exported(log)
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM decisions WHERE seq > 8")
        raw.execute("DELETE FROM checkpoints")
    for number in range(9, COUNT + 3):  # by the service itself, which knows nothing of it
        with log.begin() as connection:
            record_whole(connection, number, outcome="not_eligible")
    assert verify(log, KEY).intact
    assert codes(verify(log, KEY, [made])) == [(COUNT, "checkpoint_differs")]


def test_few_findings_are_shown_and_all_counted(database: Database, tmp_path: Path) -> None:
    with database.begin() as connection:
        for number in range(MOST_SHOWN + 10):
            record_whole(connection, number)
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET outcome = 'x'")
    found = verify(database, KEY)
    assert found.wanting == MOST_SHOWN + 10
    assert len(found.as_dict()["findings"]) == MOST_SHOWN


# --- what a record says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"body": '{"outcome": "eligible"}'}, "record_contradicts"),
        ({"body": "[]"}, "record_contradicts"),
        ({"body": "no JSON"}, "record_unreadable"),
        ({"request": "no JSON"}, "record_unreadable"),
    ],
)
def test_a_body_that_disagrees_with_its_columns(
    database: Database, given_: dict[str, str], code: str
) -> None:
    with database.begin() as connection:
        made = record_whole(connection, 1)
        record_whole(connection, 2, **given_)
    found = verify(database, KEY)
    assert codes(found) == [(2, code)]
    assert found.findings[0].decision_id not in ("", made)


def test_a_rule_base_that_is_gone_or_altered(log: Database, tmp_path: Path) -> None:
    with opened(tmp_path) as raw:
        raw.execute("UPDATE rulebases SET texts = x'00'")
    assert codes(verify(log, KEY)) == [(1, "rulebase_altered")]
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM rulebases")
    assert codes(verify(log, KEY)) == [(1, "unknown_rulebase")]


# --- checkpoints ----------------------------------------------------------------------------------


def test_checkpoints_are_made_by_themselves(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "CHECKPOINT_EVERY", 5)
    with database.begin() as connection:
        for number in range(12):
            record_whole(connection, number)
        found = [Checkpoint(**r) for r in connection.execute(select(CHECKPOINTS)).mappings()]
        last = chain.checkpoint(connection, KEY, NOW)
        assert last == chain.checkpoint(connection, KEY, later(9))  # there is one already
    assert [c.seq for c in found] == [5, 10]
    assert last is not None
    assert last.seq == 12
    assert all(c.holds(KEY) and not c.holds(OTHER) for c in (*found, last))
    assert verify(database, KEY).checkpoints == 3


def test_a_checkpoint_is_read_back(log: Database) -> None:
    made = exported(log)
    line = json.dumps(made.as_dict())
    assert checkpoints.read(f"{line}\n\n{line}\n", KEY, "f") == [made, made]
    for bad in (
        "",
        "{}",
        "[]",
        "no JSON",
        line.replace('"seq": 12', '"seq": 11'),
        line.replace('"seq": 12', '"seq": "x"'),
        line.replace("2026", "2025"),
        line.replace("+00:00", ""),
    ):
        with pytest.raises(MalformedInput) as caught:
            checkpoints.read(bad, KEY, "f")
        assert caught.value.code == "bad_checkpoint"
    with pytest.raises(MalformedInput):
        checkpoints.read(line, OTHER, "f")


@pytest.mark.parametrize(
    "change",
    ["seq = 11", "hash = 'x'", "made_at = '2026-01-02T03:04:05.678901'", "mac = x'ff'"],
)
def test_a_checkpoint_that_was_altered(log: Database, tmp_path: Path, change: str) -> None:
    exported(log)
    with opened(tmp_path) as raw:
        raw.execute(f"UPDATE checkpoints SET {change}")
    ((_, code),) = codes(verify(log, KEY))
    assert code == "checkpoint_altered"
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET outcome = 'x' WHERE seq = 2")
    assert codes(verify(log, KEY))[0] == (2, "record_changed")  # the first comes first


# --- a writer that is killed ----------------------------------------------------------------------

WRITE = """
import sys
from datetime import UTC, datetime
from eligibility.decision.decide import Decider
from eligibility.records.database import Database
from eligibility.records.follow_up import FollowUps
from records.samples import KEY
from rulebase.rulebases import base_rulebase, base_texts
followed = FollowUps(Database.open(sys.argv[1]), Decider(base_rulebase()), base_texts(), KEY)
body = followed.decider.decide({}, today=datetime.now().date(), engine="native")
for i in range(100_000):
    made = followed.record_decision({"case": {}}, body, datetime.now(UTC))
    print(made["decision_id"], flush=True)
"""
TESTS = Path(__file__).resolve().parent.parent


def killed_writer(url: str, after: float) -> Iterator[str]:
    """The ids that a process acknowledged until it was killed, so long after its first."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, url],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={"PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    time.sleep(after)
    process.kill()
    yield from process.stdout.read().split("\n")[:-1]  # the last may be half a line
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_a_killed_writer_leaves_a_sound_chain(database: Database, url: str, dialect: str) -> None:
    rounds = 20 if dialect == "sqlite" else 5
    chance = random.Random(20260103)
    acknowledged: set[str] = set()
    for _ in range(rounds):
        ids = set(killed_writer(url, chance.uniform(0, 0.3)))
        assert ids
        acknowledged |= ids
        found = verify(database, KEY)
        assert found.intact, found.findings
    with database.read() as connection:
        kept = set(connection.execute(select(DECISIONS.c.id)).scalars())
        if dialect == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        duties = connection.execute(text("SELECT count(*) FROM projections")).scalar_one()
    assert acknowledged <= kept
    assert len(kept) <= len(acknowledged) + rounds  # committed, but killed before it could say so
    assert duties == len(kept)
