"""A rule base is kept as its texts and comes back as it was."""

from __future__ import annotations

import gzip
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from eligibility import documents
from eligibility.errors import NotFound
from eligibility.records.database import Database, RecordsError
from eligibility.records.rulebases import CACHED, Library, is_kept, keep, pack, unpack
from eligibility.records.seals import LogKey
from eligibility.rulebase import canonical
from eligibility.rulebase.loader import load
from records.samples import KEY, NOW
from records.tampering import opened
from rulebase.rulebases import base_rulebase, base_texts, shipped_texts


@pytest.fixture(name="library")
def fixture_library(database: Database) -> Library:
    return Library(database)


@pytest.fixture(name="later_program")
def fixture_later_program(database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """A rule base is kept, sealed; then the model of the program changes. Its digest."""
    (texts,) = versions(1)
    rulebase = load(texts)
    with database.begin() as connection:
        assert keep(connection, rulebase, texts, NOW, KEY)
    monkeypatch.setattr(canonical, "_LEFT_OUT", canonical._LEFT_OUT | {"citations"})
    assert load(texts).digest != rulebase.digest
    return rulebase.digest


def versions(count: int) -> list[dict[str, str]]:
    texts = base_texts()
    return [
        {**texts, "base.yaml": texts["base.yaml"].replace('version: "test"', f'version: "{i}"')}
        for i in range(count)
    ]


def test_the_shipped_rule_base_comes_back(database: Database, library: Library) -> None:
    texts = shipped_texts()
    rulebase = load(texts)
    with database.begin() as connection:
        assert keep(connection, rulebase, texts, NOW)
    found = library.get(rulebase.digest)
    assert (found.digest, found.version) == (rulebase.digest, rulebase.version)
    assert found.calendar.years == rulebase.calendar.years
    assert replace(found, calendar=rulebase.calendar) == rulebase
    assert library.texts(rulebase.digest) == texts


def test_it_is_kept_once(database: Database) -> None:
    with database.begin() as connection:
        assert is_kept(connection, base_rulebase().digest)
        assert not keep(connection, base_rulebase(), base_texts(), NOW)


def test_it_is_kept_once_by_many(database: Database) -> None:
    (texts,) = versions(1)
    rulebase = load(texts)

    def keep_it(_: int) -> bool:
        with database.begin() as connection:
            return keep(connection, rulebase, texts, NOW)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(keep_it, range(4))) == [False, False, False, True]


def test_texts_of_another_rule_base_are_not_kept(database: Database) -> None:
    one, other = versions(2)
    rulebase = load(one)
    with pytest.raises(RecordsError) as caught, database.begin() as connection:
        keep(connection, rulebase, other, NOW)
    assert caught.value.code == "rulebase_altered"
    with database.read() as connection:
        assert not is_kept(connection, rulebase.digest)


def test_an_unknown_digest(library: Library) -> None:
    with pytest.raises(NotFound) as caught:
        library.get("sha256:nothing")
    assert caught.value.code == "unknown_rulebase"


def test_few_are_held_ready_and_each_is_loaded_once(database: Database, library: Library) -> None:
    digests = []
    with database.begin() as connection:
        for texts in versions(CACHED + 1):
            rulebase = load(texts)
            keep(connection, rulebase, texts, NOW)
            digests.append(rulebase.digest)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(library.get, [digests[0]] * 4))
    assert all(one is found[0] for one in found)
    assert [library.get(digest).digest for digest in digests] == digests
    assert library.get(digests[-1]) is library.get(digests[-1])
    assert library.get(digests[0]) is not found[0]


ALTERED = {
    "no mapping": gzip.compress(b"[1]"),
    "no texts": gzip.compress(b'{"base.yaml": 1}'),
    "no JSON": gzip.compress(b"version: 1"),
    "another rule base": pack(versions(1)[0]),
    "no rule base": pack({"base.yaml": "version: 1"}),
    "cut off": pack(base_texts())[:-20],
    "not compressed": b"version: 1",
}


@pytest.mark.parametrize("packed", ALTERED.values(), ids=ALTERED.keys())
def test_texts_that_were_altered_are_not_decided_by(
    database: Database, library: Library, tmp_path: Path, packed: bytes
) -> None:
    digest = base_rulebase().digest
    other = sqlite3.connect(tmp_path / "records.db")
    with other:  # as somebody could who gets at the file
        other.execute("DROP TRIGGER rulebases_refuse_update")
        other.execute("UPDATE rulebases SET texts = ?", (packed,))
    other.close()
    with pytest.raises(RecordsError) as caught:
        library.get(digest)
    assert caught.value.code == "rulebase_altered"
    assert digest in str(caught.value)


def test_the_same_texts_are_the_same_bytes() -> None:
    texts = base_texts()
    assert pack(texts) == pack(dict(reversed(texts.items())))
    assert unpack(pack(texts)) == texts


def test_a_later_program_reads_what_an_earlier_one_kept(
    database: Database, later_program: str
) -> None:
    library = Library(database, KEY)
    found = library.get(later_program)
    assert (found.digest, found.version) == (later_program, "0")
    note = library.note(later_program)
    assert note is not None
    assert note.code == "digest_changed"


@pytest.mark.parametrize("key", [None, LogKey("another key of the tests, as long as it needs")])
def test_only_the_seal_lets_another_digest_pass(
    database: Database, later_program: str, key: LogKey | None
) -> None:
    with pytest.raises(RecordsError) as caught:
        Library(database, key).get(later_program)
    assert caught.value.code == "rulebase_altered"


@pytest.mark.parametrize("change", ["texts = ?", "texts = ?, seal = 'x'"])
def test_a_later_program_still_finds_texts_altered(
    database: Database, later_program: str, tmp_path: Path, change: str
) -> None:
    with opened(tmp_path) as raw:
        raw.execute(f"UPDATE rulebases SET {change}", (pack(versions(2)[1]),))
    with pytest.raises(RecordsError) as caught:
        Library(database, KEY).get(later_program)
    assert caught.value.code == "rulebase_altered"


def test_texts_that_are_intact_but_can_no_longer_be_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (texts,) = versions(1)
    rulebase = load(texts)
    with database.begin() as connection:
        keep(connection, rulebase, texts, NOW, KEY)
    monkeypatch.setattr(documents, "MAX_DEPTH", 1)  # what a later program may refuse
    with pytest.raises(RecordsError) as caught:
        Library(database, KEY).get(rulebase.digest)
    assert caught.value.code == "rulebase_unreadable"
