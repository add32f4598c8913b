"""A byte of the database file itself is changed: by a disk, or by whoever gets at the file."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eligibility.records.chain import ADDED, SEALED
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.rulebases import Library
from eligibility.records.verification import verify
from records.samples import KEY
from records.tampering import COUNT, codes, exported, opened

pytestmark = pytest.mark.sqlite

COLUMNS = ", ".join((*SEALED, *ADDED, "hash"))


@pytest.fixture(name="whole")
def fixture_whole(log: Database, tmp_path: Path) -> tuple[Path, Checkpoint]:
    """The file of a log, with nothing left in its write-ahead log, and what it went through."""
    made = exported(log)
    log.close()
    with closing(sqlite3.connect(tmp_path / "records.db")) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy" / "records.db"
    copy.parent.mkdir()
    shutil.copy(tmp_path / "records.db", copy)
    return copy, made


def places(path: Path) -> list[int]:
    """The bytes of all pages that hold rows of the log."""
    with closing(sqlite3.connect(path)) as raw:
        (size,) = raw.execute("PRAGMA page_size").fetchone()
        pages = raw.execute("SELECT pageno FROM dbstat WHERE name = 'decisions'").fetchall()
    return [place for (page,) in pages for place in range((page - 1) * size, page * size)]


def rows(path: Path) -> Any:
    """The rows as they are read; None where they cannot be."""
    with closing(sqlite3.connect(path)) as raw:
        raw.text_factory = bytes
        try:
            return raw.execute(f"SELECT {COLUMNS} FROM decisions ORDER BY seq").fetchall()
        except sqlite3.Error:
            return None


def is_found(path: Path, made: Checkpoint) -> bool:
    """A copy that cannot be read at all says so, too."""
    database = Database(file_url(path))
    try:
        return not verify(database, KEY, [made], library=Library(database, KEY)).intact
    except RecordsError:
        return True
    finally:
        database.close()


@pytest.mark.slow
def test_every_byte_of_the_file_that_alters_a_row_is_found(
    whole: tuple[Path, Checkpoint],
) -> None:
    """A thousand of them; a byte of free space alters none, and then nothing is reported."""
    path, made = whole
    sound, inside = rows(path), places(path)
    assert not is_found(path, made)
    chance = random.Random(20260106)
    altered = free = 0
    while altered < 1000:
        place, bit = chance.choice(inside), chance.randrange(1, 256)
        flip(path, place, bit)
        if rows(path) == sound:
            free += 1
        else:
            altered += 1
            assert is_found(path, made), place
        flip(path, place, bit)
    assert free
    assert rows(path) == sound
    assert not is_found(path, made)


def flip(path: Path, place: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ bits]))


def test_a_file_that_was_cut_off_is_found(whole: tuple[Path, Checkpoint]) -> None:
    """At every page, and within one."""
    path, made = whole
    content, sound = path.read_bytes(), rows(path)
    missed = []
    for size in (*range(0, len(content), 2048), len(content) - 1):
        cut_off(path, content[:size])
        if not is_found(path, made):
            missed.append(size)
            assert rows(path) == sound, size  # what was cut off holds none of the log
    assert len(missed) < len(content) / 4096
    cut_off(path, content)
    assert not is_found(path, made)


def cut_off(path: Path, content: bytes) -> None:
    """The file is this now, and has no write-ahead log."""
    for other in path.parent.glob("records.db-*"):
        other.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("k", range(1, COUNT + 1))
def test_the_last_records_of_a_log_that_are_missing_are_found(
    log: Database, tmp_path: Path, k: int
) -> None:
    """However many, with the checkpoints inside gone as well, by the one kept elsewhere."""
    made = exported(log)
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM checkpoints")
        raw.execute("DELETE FROM decisions WHERE seq > ?", (COUNT - k,))
    assert verify(log, KEY).intact or k == COUNT
    assert codes(verify(log, KEY, [made])) == [(COUNT, "records_cut_off")]
