"""The log of decisions is one chain, whoever adds to it; what has no seal is vouched for."""

from __future__ import annotations

import hmac
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from eligibility.decision.decide import Decider
from eligibility.errors import MalformedInput
from eligibility.records import chain, decisions, schema
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.rulebases import Library, pack
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import DECISIONS
from eligibility.records.verification import verify
from records.samples import KEY, NOW, record
from records.tampering import COUNT, codes, exported, opened, record_whole
from rulebase.rulebases import base_rulebase, base_texts

OTHER = LogKey("another key of the tests, as long as it needs")


# --- seals ----------------------------------------------------------------------------------------

PARTS = st.lists(st.one_of(st.none(), st.text(), st.binary(), st.integers()), max_size=4)


def said(part: Part) -> bytes | None:
    """A text, its bytes and the number it spells are sealed alike; nothing else is."""
    return part if part is None or isinstance(part, bytes) else str(part).encode()


# INVARIANT: different lists of parts have different seals.
@given(PARTS, PARTS)
def test_a_seal_tells_lists_of_parts_apart(one: list[Part], other: list[Part]) -> None:
    same = list(map(said, one)) == list(map(said, other))
    assert (KEY.seal("p", *one) == KEY.seal("p", *other)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "bc"), ("ab", "c")), ((None,), ("-",)), (("",), ()), (("1:a",), ("a",))],
)
def test_parts_do_not_run_into_each_other(one: tuple[Part], other: tuple[Part]) -> None:
    assert KEY.seal("p", *one) != KEY.seal("p", *other)


def test_a_seal_is_of_one_key_and_one_purpose() -> None:
    seal = KEY.seal("p", "a")
    assert KEY.fits(seal, "p", "a")
    assert not KEY.fits(seal, "q", "a")
    assert not OTHER.fits(seal, "p", "a")
    assert (KEY.made(seal), OTHER.made(seal)) == (True, False)
    assert not KEY.fits("封", "p", "a")


def test_a_seal_is_the_same_in_five_years() -> None:
    secret = "0123456789abcdef0123456789abcdef"
    sealed = LogKey(secret).seal("p", None, 12, "案", b"\xff", NOW, NOW.date())
    framed = b"1:p-2:123:\xe6\xa1\x881:\xff26:2026-01-02 03:04:05.67890110:2026-01-02"
    assert sealed.split(":") == [
        hmac.new(secret.encode(), b"19:eligibility log key", "sha256").hexdigest()[:8],
        hmac.new(secret.encode(), framed, "sha256").hexdigest(),
    ]


def test_a_key_is_never_shown_and_never_short() -> None:
    assert "tests" not in repr(KEY)
    with pytest.raises(MalformedInput) as caught:
        LogKey("short")
    assert caught.value.code == "bad_log_key"
    assert "short" not in str(caught.value).replace("at least", "")


# --- a sound log ----------------------------------------------------------------------------------


def test_a_log_that_nobody_touched(log: Database) -> None:
    found = verify(log, KEY)
    assert found.intact, found.findings
    assert (found.records, found.unsealed, found.rulebases) == (COUNT, 0, 1)
    with log.read() as connection:
        last = decisions.search(connection, limit=COUNT)[-1]
    assert found.last == (last.seq, last.hash)


def test_an_empty_log(database: Database) -> None:
    found = verify(database, KEY)
    assert found.intact
    assert found.last == (0, None)
    with database.begin() as connection:
        assert chain.checkpoint(connection, KEY, NOW) is None


def test_numbers_follow_each_other_without_a_gap(log: Database) -> None:
    def stop_halfway() -> None:
        with log.begin() as connection:
            record_whole(connection, 90)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop_halfway()
    with log.begin() as connection:
        record_whole(connection, 91)
        seqs = connection.execute(select(DECISIONS.c.seq).order_by(DECISIONS.c.seq)).scalars()
        assert list(seqs) == list(range(1, COUNT + 2))


def test_many_writers_make_one_chain(database: Database, url: str) -> None:
    others = [Database(url) for _ in range(3)]

    def write(thread: int) -> None:
        for i in range(15):
            with others[thread].begin() as connection:
                record_whole(connection, thread * 100 + i)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    for other in others:
        other.close()
    found = verify(database, KEY)
    assert found.intact, found.findings
    assert found.records == 45


def test_memory_stays_flat(database: Database, library: Library) -> None:
    with database.begin() as connection:
        for number in range(400):
            record_whole(connection, number, request='{"case": "' + "x" * 100_000 + '"}')
    verify(database, KEY, library=library)
    tracemalloc.start()
    assert verify(database, KEY, library=library).records == 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000  # the log has 40 MB


# --- keys -----------------------------------------------------------------------------------------


def test_a_log_is_continued_with_its_own_key_only(log: Database) -> None:
    for key, code in ((OTHER, "other_log_key"), (None, "no_log_key")):
        with pytest.raises(RecordsError) as caught, log.begin() as connection:
            record_whole(connection, 99, log_key=key)
        assert caught.value.code == code
    assert verify(log, KEY).intact


def test_another_key_verifies_nothing(log: Database) -> None:
    found = verify(log, OTHER)
    assert found.wanting == COUNT
    assert set(codes(found)) == {(n, "other_log_key") for n in range(1, COUNT + 1)}


def test_a_forger_without_the_key_is_found(log: Database, tmp_path: Path) -> None:
    """A chain that is sound in itself, of another key, under the name of this one."""
    with opened(tmp_path) as connection:
        connection.execute("UPDATE decisions SET hash = NULL WHERE seq >= 10")
        connection.execute("UPDATE decisions SET outcome = 'not_eligible' WHERE seq = 11")
        for seq, hash in connection.execute("SELECT seq, hash FROM decisions").fetchall():
            forged = OTHER.seal(chain.RECORD, seq).replace(OTHER.id, KEY.id)
            if hash is None:
                connection.execute("UPDATE decisions SET hash = ? WHERE seq = ?", (forged, seq))
    assert codes(verify(log, KEY))[0] == (10, "record_changed")


# --- records that have no seal --------------------------------------------------------------------


def without_seals(database: Database, count: int) -> None:
    with database.begin() as connection:
        for number in range(1, count + 1):
            record_whole(connection, number, log_key=None)


def test_the_first_seal_vouches_for_all_records_before_it(
    database: Database, tmp_path: Path
) -> None:
    without_seals(database, 3)
    assert codes(verify(database, KEY)) == [(3, "record_unsealed")]
    with database.begin() as connection:
        record_whole(connection, 4)
        record_whole(connection, 5)
    found = verify(database, KEY)
    assert found.intact
    assert found.unsealed == 3
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET outcome = 'eligible!' WHERE seq = 2")
    assert (4, "record_changed") in codes(verify(database, KEY))


def test_a_checkpoint_vouches_for_records_without_seal(database: Database, tmp_path: Path) -> None:
    without_seals(database, 3)
    made = exported(database)
    assert verify(database, KEY).intact
    with database.begin() as connection:
        record_whole(connection, 4)
    assert verify(database, KEY, [made]).intact
    with opened(tmp_path) as raw:
        raw.execute("DELETE FROM decisions WHERE seq = 1")
    assert (3, "checkpoint_differs") in codes(verify(database, KEY))


def test_seals_that_were_all_removed(log: Database, tmp_path: Path) -> None:
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET hash = NULL")
    assert codes(verify(log, KEY)) == [(COUNT, "record_unsealed")]


def test_a_seal_that_was_removed(log: Database, tmp_path: Path) -> None:
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET hash = NULL WHERE seq = 7")
    assert codes(verify(log, KEY)) == [(7, "record_unsealed")]


def test_a_database_from_before_the_chain(tmp_path: Path) -> None:
    """Made by the first migration alone, with records in it; then opened by this program."""
    database = Database(file_url(tmp_path / "records.db"))
    with database.begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
        connection.execute(
            text("INSERT INTO rulebases VALUES (:digest, 'test', :texts, :at)"),
            {
                "digest": base_rulebase().digest,
                "texts": pack(base_texts()),
                "at": "2026-01-01 00:00:00.000000",
            },
        )
        for number in (1, 2):
            connection.execute(
                text(
                    "INSERT INTO decisions (id, case_key, profile, as_of, outcome, digest, engine,"
                    " request, body, decided_at) VALUES (:id, 'k', 'national', '2026-01-02',"
                    " 'eligible', :digest, 'native', '{}', :body, '2026-01-02 03:04:05.000000')"
                ),
                {"id": f"old-{number}", "digest": base_rulebase().digest, "body": old_body(number)},
            )
    database.close()
    database = Database.open(file_url(tmp_path / "records.db"))
    with database.begin() as connection:
        made = record_whole(connection, 3)
        found = decisions.find(connection, made)
        assert found.seq == 3
        assert found.hash is not None
        assert decisions.find(connection, "old-1").hash is None
    verified = verify(database, KEY)
    assert verified.intact, verified.findings
    assert (verified.records, verified.unsealed) == (3, 2)
    database.close()


def old_body(number: int) -> str:
    return (
        f'{{"decision_id": "old-{number}", "case_no": null, "outcome": "eligible", "profile":'
        f' "national", "as_of": "2026-01-02", "engine": "native", "rulebase":'
        f' {{"digest": "{base_rulebase().digest}"}}}}'
    )


# --- through the door that everybody uses ---------------------------------------------------------


def test_what_is_followed_up_is_sealed(database: Database) -> None:
    decider = Decider(base_rulebase())
    followed = FollowUps(database, decider, base_texts(), KEY)
    body = decider.decide({}, today=NOW.date(), engine="native")
    made = followed.record_decision({"case": {}}, body, NOW)
    assert followed.decision(made["decision_id"]).hash is not None
    assert verify(database, KEY).intact
    decider.close()


def test_records_of_the_tests_may_do_without(database: Database) -> None:
    with database.begin() as connection:
        assert decisions.find(connection, record(connection)).hash is None
