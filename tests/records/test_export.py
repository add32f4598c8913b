"""An exported file is verified by itself: every byte that is another is found."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from eligibility.errors import MalformedInput
from eligibility.records import export
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database
from eligibility.records.export import FIELDS, entries, write_lines, write_parquet
from eligibility.records.export_check import verify_export
from eligibility.records.export_seal import ExportSeal, read_seal, seal_of
from eligibility.records.seals import LogKey
from eligibility.records.verification import Verification
from records.samples import KEY, NOW, record
from records.tampering import COUNT, codes, exported, record_whole

pytestmark = pytest.mark.sqlite

OTHER = LogKey("another key of the tests, as long as it needs")
PLACES = 1000


def written(log: Database, folder: Path, name: str = "log.ndjson", **wanted: str) -> Path:
    file = folder / name
    write = write_parquet if file.suffix == ".parquet" else write_lines
    with file.open("wb") as opened:
        write(entries(log, **wanted), opened)  # type: ignore[arg-type]
    return file


def problems(
    file: Path,
    kept: Sequence[Checkpoint] = (),
    seal: ExportSeal | None = None,
    key: LogKey | None = KEY,
) -> list[tuple[int, str]]:
    return codes(verify_export(file, key, kept, seal))


def notes(found: Verification) -> list[str]:
    return [note.code for note in found.notes]


@pytest.fixture(name="file")
def fixture_file(log: Database, tmp_path: Path) -> Path:
    return written(log, tmp_path)


@pytest.mark.parametrize("name", ["log.ndjson", "log.parquet"])
def test_a_sound_file(log: Database, tmp_path: Path, name: str) -> None:
    file = written(log, tmp_path, name)
    found = verify_export(file, KEY, [exported(log)], seal_of(file, COUNT, False, KEY, NOW))
    assert (found.intact, found.records, found.last.seq) == (True, COUNT, COUNT)
    assert not found.notes
    assert notes(verify_export(file, KEY)) == ["export_without_seal"]
    assert notes(verify_export(file, None)) == ["export_without_key", "export_without_seal"]
    assert problems(file, key=OTHER)[0] == (1, "other_log_key")


def test_every_byte_of_the_lines_that_is_changed_is_found(file: Path) -> None:
    """At a thousand random places, ends of lines among them, and without the file's seal."""
    chance, content = random.Random(20260110), file.read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    places = ends + [chance.randrange(len(content)) for _ in range(PLACES)]
    for place in places:
        altered = bytearray(content)
        altered[place] ^= chance.randrange(1, 256)
        file.write_bytes(altered)
        found = verify_export(file, KEY)
        assert not found.intact, (place, content[place - 40 : place + 40])
        line = content[:place].count(b"\n") + 1  # the first that is found is the one altered
        assert found.findings[0].seq in (line, line + 1), place
    file.write_bytes(content)
    assert not problems(file)


def test_a_file_that_was_cut_off_is_found(log: Database, file: Path) -> None:
    """At every end of a line and at many places within; by a checkpoint or the file's seal."""
    chance, content = random.Random(20260111), file.read_bytes()
    made, seal = exported(log), seal_of(file, COUNT, False, KEY, NOW)
    ends = [place + 1 for place, byte in enumerate(content[:-1]) if byte == ord("\n")]
    places = [0, len(content) - 1, *ends, *(chance.randrange(len(content)) for _ in range(200))]
    for place in places:
        file.write_bytes(content[:place])
        assert problems(file, [made]), place
        assert problems(file, seal=seal)[0] == (0, "export_altered"), place
        if place not in (0, *ends):
            assert problems(file), place
    file.write_bytes(content)
    assert not problems(file, [made], seal)


@pytest.mark.parametrize("gone", [[0], [4], [3, 4, 5], [COUNT - 1]])
def test_records_that_were_removed(log: Database, file: Path, gone: list[int]) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for i, line in enumerate(lines) if i not in gone))
    found = problems(file, [exported(log)])
    if gone == [COUNT - 1]:
        assert found == [(COUNT, "records_cut_off")]
    else:
        assert found[0] == (gone[-1] + 2, "records_removed")


def test_records_that_changed_places_or_stand_twice(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    for order in ([1, 0, 2, 3], [0, 1, 1, 2], [0, 2, 1, 3]):
        file.write_bytes(b"".join(lines[i] for i in order))
        assert problems(file), order


@pytest.mark.parametrize(
    "change",
    [
        (b'"seq": 1,', b'"seq":1,'),
        (b'"seq": 1,', b'"seq": 1.0,'),
        (b'"seq": 1,', b'"seq": true,'),
        (b'"case_no"', b'"case\\u005fno"'),
        (b"+00:00", b"Z"),
        (b'"follows": null', b'"follows": null, "x": null'),
        (b'"follows": null', b'"follows": "' + b"[" * 3000 + b'"'),
        (b"\n", b"\r\n"),
        (b"\n", b"\n\n"),
    ],
)
def test_another_way_to_write_the_same_is_found(file: Path, change: tuple[bytes, bytes]) -> None:
    file.write_bytes(file.read_bytes().replace(*change, 1))
    assert problems(file)


def test_the_seal_of_a_file(log: Database, file: Path, tmp_path: Path) -> None:
    seal = seal_of(file, COUNT, False, KEY, NOW)
    assert read_seal(seal.text(), "f") == seal
    assert not problems(file, seal=seal)
    assert problems(file, seal=seal, key=OTHER)[0] == (0, "export_seal_altered")
    other = written(log, tmp_path, "other.ndjson", court_id="nowhere")
    assert problems(other, seal=seal) == [(0, "export_altered")]
    for bad in ("", "{}", "[]", seal.text()[:-1], seal.text().replace('"bytes"', '"octets"')):
        with pytest.raises(MalformedInput) as caught:
            read_seal(bad, "f")
        assert caught.value.code == "bad_export_seal"


def test_every_byte_of_a_seal_that_is_changed_is_found(file: Path) -> None:
    text = seal_of(file, COUNT, False, KEY, NOW).text().encode()
    for place in range(len(text)):
        altered = bytearray(text)
        altered[place] ^= 1
        try:
            seal = read_seal(altered.decode(), "f")
        except (MalformedInput, UnicodeDecodeError):
            continue
        assert problems(file, seal=seal), place


def test_a_file_of_one_court(log: Database, tmp_path: Path) -> None:
    with log.begin() as connection:
        record_whole(connection, 20, court_id="low")
        record_whole(connection, 21)
        record_whole(connection, 22, court_id="low")
    file = written(log, tmp_path, court_id="low")
    seal = seal_of(file, 2, True, KEY, NOW)
    found = verify_export(file, KEY, [], seal)
    assert (found.intact, found.records, notes(found)) == (True, 2, ["export_partial"])
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"profile": "national"', b'"profile": "nationaL"', 1))
    assert problems(file, seal=seal) == [(0, "export_altered"), (COUNT + 1, "record_changed")]


def test_records_from_before_the_chain(database: Database, tmp_path: Path) -> None:
    with database.begin() as connection:
        record(connection, now=NOW)
        record(connection, now=NOW)
        record_whole(connection, 3)
    file = written(database, tmp_path)
    found = verify_export(file, KEY)
    assert (found.intact, found.unsealed) == (True, 2)
    content = file.read_bytes()
    for word in (b"yancheng", b"national"):
        file.write_bytes(content.replace(word, b"x", 1))
        assert problems(file) == [(3, "record_changed")]


def test_without_the_key_order_and_form_are_checked(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:4] + lines[5:]))
    assert problems(file, key=None)[0] == (6, "records_removed")
    file.write_bytes(b"".join(lines).replace(b'"hash": "', b'"hash": "x', 1))
    assert problems(file, key=None) == [(2, "record_changed")]


def test_every_byte_of_a_parquet_file_that_alters_a_row_is_found(
    log: Database, tmp_path: Path
) -> None:
    """With the file's seal all are; without, those that leave the rows as they were are not."""
    file = written(log, tmp_path, "log.parquet")
    seal, made = seal_of(file, COUNT, False, KEY, NOW), exported(log)
    chance, content = random.Random(20260112), file.read_bytes()
    sound, void = pq.read_table(file).to_pylist(), 0
    for number in range(PLACES):
        altered = bytearray(content)
        altered[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        file.write_bytes(altered)
        assert problems(file, seal=seal) == [(0, "export_altered")]
        if number % 5 == 0 and not problems(file, [made]):
            void += 1
            assert pq.read_table(file).to_pylist() == sound
    assert void < PLACES / 5
    for size in (0, 3, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        assert problems(file) == [(1, "export_unreadable")]


def test_every_field_of_a_line_is_part_of_the_record(file: Path) -> None:
    """So there is none that could say anything unseen."""
    first = json.loads(file.read_bytes().splitlines()[0])
    assert tuple(first) == FIELDS == tuple(export.SCHEMA.names)
