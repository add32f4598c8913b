"""What is said of a case is sealed by a key of its own, and is gone when the key is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from eligibility.decision.decide import Decider
from eligibility.errors import Conflict, EligibilityError, FactsError, MalformedInput, NotFound
from eligibility.records import decisions, ledger
from eligibility.records.database import Database, RecordsError
from eligibility.records.follow_up import FollowUps
from eligibility.records.idempotency import once
from eligibility.records.replay import Replayer
from eligibility.records.sealing_key import (
    PREFIX,
    SealingKey,
    key_id_of,
    new_data_key,
    packed,
)
from eligibility.records.shredding import rewrap, shred
from eligibility.records.tables import CASE_KEYS, DUTIES, EVENTS, IDEMPOTENCY, JOURNAL
from eligibility.records.vault import Shredded, Unreadable, Vault, is_sealed
from eligibility.records.verification import verify
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from records.samples import KEY, NOW, duty_row, later
from rulebase.rulebases import with_file

SECRET, NEW = SealingKey("s" * 32), SealingKey("n" * 32)
NAME = "张三三"  # of a person, in the facts of the case
CASE, OTHER = "（2024）苏0902执7号", "（2024）苏0902执8号"
TODAY = NOW.date()


TEXTS = with_file("事件:\n  served:\n    名称: {zh: 送达, en: served}\n", "events.yaml")


@cache
def rulebase() -> Rulebase:
    """The small one, with an event."""
    return load(TEXTS)


def followed_by(database: Database, key: SealingKey | None) -> FollowUps:
    return FollowUps(database, Decider(rulebase()), TEXTS, KEY, Vault(key))


@pytest.fixture(name="followed")
def fixture_followed(database: Database) -> Iterator[FollowUps]:
    made = followed_by(database, SECRET)
    yield made
    made.decider.close()


def decide(followed: FollowUps, case_no: str | None = CASE, key: str | None = None) -> str:
    """A decision on a case that names a person, asked for and answered."""
    request = {"case": {}, "party": NAME}
    body = followed.decider.decide({}, today=TODAY, engine="native")
    body |= {"case_no": case_no, "party": NAME}
    asked = once(key, request) if key else None
    made = followed.record_decision(request, body, NOW, once=asked)
    return str(made["decision_id"])


def report(followed: FollowUps, identity: str = "e1", case_no: str = CASE) -> bool:
    payload = {"case_no": case_no, "id": identity, "type": "served", "on": "2026-01-01"}
    payload["note"] = NAME
    return followed.record_event(payload, later(1), TODAY)[1]


def destroy(followed: FollowUps, case_no: str = CASE) -> None:
    with followed.database.begin() as connection:
        shred(
            connection, KEY, case_no, later(9), reason="保管期满", by="李档案", approved_by="王庭长"
        )


def everything(database: Database) -> str:
    """All that is in the database, as text."""
    tables = ("decisions", "events", "duties", "idempotency", "journal", "case_keys")
    with database.read() as connection:
        rows = [connection.execute(text(f"SELECT * FROM {name}")).all() for name in tables]
    return repr(rows)


def codes(database: Database) -> list[str]:
    found = verify(database, KEY)
    return [finding.problem.code for finding in found.findings]


# --- sealed ---------------------------------------------------------------------------------------


def test_what_is_sealed_reads_as_it_was(followed: FollowUps) -> None:
    made = decide(followed, key="k")
    assert report(followed)
    assert not report(followed)
    assert NAME in followed.decision(made).body
    assert NAME in followed.decision(made).request
    told = followed.view(CASE, TODAY)
    assert [event["note"] for event in told["events"]] == [NAME]
    assert told["warnings"] == []
    again = followed.answered(once("k", {"case": {}, "party": NAME}))
    assert again is not None
    assert again.body["decision_id"] == made
    assert decide(followed, key="k") == made
    with pytest.raises(Conflict):
        followed.answered(once("k", {"case": {}, "party": "李四"}))
    assert verify(followed.database, KEY).intact


def test_the_database_holds_nothing_that_was_said(followed: FollowUps) -> None:
    decide(followed, key="k")
    report(followed)
    said = everything(followed.database)
    assert NAME not in said
    assert said.count(PREFIX) == 5  # three columns, an event, the hash of the request
    assert CASE in said  # by which it is found


def test_every_case_has_a_key_of_its_own(followed: FollowUps) -> None:
    decide(followed)
    decide(followed)
    decide(followed, OTHER)
    decide(followed, None)
    report(followed)
    with followed.database.read() as connection:
        rows = connection.execute(select(CASE_KEYS)).mappings().all()
        bodies = [d.body for d in decisions.search(connection, limit=9)]
        stored = connection.execute(select(EVENTS.c.body)).scalars().all()
    ids = [key_id_of(body) for body in bodies]
    assert len({row["wrapped"] for row in rows}) == len(rows) == 3
    assert ids[0] == ids[1] == key_id_of(stored[0])
    assert len(set(ids)) == 3


def test_duties_are_sealed(followed: FollowUps) -> None:
    """In the ledger as well, where there are any."""
    decide(followed)
    with followed.database.begin() as connection:
        key = followed.vault.keys_of(connection, [CASE])[CASE]
        row = duty_row(id="d9", case_key=CASE, case_no=CASE, body=f'{{"x": "{NAME}"}}')
        ledger.replace_case(connection, CASE, [ledger.sealed(row, key)], NOW, "d")
        kept = connection.execute(select(DUTIES.c.body)).scalar_one()
        reader = followed.vault.reader(connection)
        assert NAME in reader.text(ledger.place(row), kept)
        with pytest.raises(Unreadable):
            reader.text("duties.body:another", kept)
    assert kept.startswith(PREFIX)


@pytest.mark.parametrize("key", [None, NEW])
def test_without_its_key_nothing_is_opened(followed: FollowUps, key: SealingKey | None) -> None:
    made = decide(followed)
    code = "other_sealing_key" if key else "no_sealing_key"
    with followed.database.read() as connection, pytest.raises(RecordsError) as caught:
        Vault(key).check(connection)
    assert caught.value.code == code
    other = followed_by(followed.database, key)
    with pytest.raises(Unreadable) as unread:
        other.decision(made)
    assert unread.value.code == code
    other.decider.close()
    assert verify(followed.database, KEY).intact  # needs no key but that of the log


def test_a_sealed_text_that_was_altered_or_moved() -> None:
    key, other = new_data_key(), new_data_key()
    sealed = key.seal("a", packed("text"))
    assert key.open("a", sealed) == "text"
    for bad in (sealed[:-4], sealed[:-6] + "AAAA==", f"{PREFIX}{key.id}:"):
        with pytest.raises(ValueError, match="not sealed so"):
            key.open("a", bad)
    with pytest.raises(ValueError, match="not sealed so"):
        key.open("b", sealed)
    with pytest.raises(ValueError, match="not sealed so"):
        other.open("a", sealed)
    wrapped = SECRET.wrap(key, CASE)
    assert SECRET.unwrap(wrapped, key.id, CASE) == key
    for identity, case in ((other.id, CASE), (key.id, OTHER)):
        with pytest.raises(ValueError, match="not sealed so"):
            SECRET.unwrap(wrapped, identity, case)
    assert "secret" not in repr(key)
    with pytest.raises(MalformedInput):
        SealingKey("short")


def test_what_was_recorded_unsealed_stays_readable(database: Database) -> None:
    plain = followed_by(database, None)
    first = decide(plain)
    sealing = followed_by(database, SECRET)
    second = decide(sealing)
    assert NAME in sealing.decision(first).body
    assert NAME in sealing.decision(second).body
    assert verify(database, KEY).intact
    with database.begin() as connection:
        done = shred(connection, KEY, CASE, NOW, reason="r", by="a", approved_by="b")
    assert (done.decisions, done.plain) == (1, 1)
    assert NAME in sealing.decision(first).body
    with pytest.raises(Shredded):
        sealing.decision(second)
    for made in (plain, sealing):
        made.decider.close()


# --- shredded -------------------------------------------------------------------------------------


def test_a_shredded_case_is_on_record_without_its_content(followed: FollowUps) -> None:
    made, other = decide(followed, key="k"), decide(followed, OTHER)
    report(followed)
    assert followed.view(CASE, TODAY)["events"]
    destroy(followed)
    found = verify(followed.database, KEY)
    assert (found.intact, found.records) == (True, 2)
    for asked in (
        lambda: followed.decision(made),
        lambda: followed.answered(once("k", {"case": {}, "party": NAME})),
        lambda: decide(followed, key="k"),
        lambda: followed.reevaluate(CASE, later(10), TODAY),
        lambda: report(followed),
        lambda: report(followed, "e2"),
    ):
        with pytest.raises(Shredded) as caught:
            asked()
        assert (caught.value.code, caught.value.status) == ("shredded", 410)
    told = followed.view(CASE, TODAY)
    assert NAME not in json.dumps(told, ensure_ascii=False)
    assert ([d["id"] for d in told["decisions"]], told["events"]) == ([made], [])
    assert [w["code"] for w in told["warnings"]] == ["shredded"]
    assert NAME in followed.decision(other).body
    with followed.database.read() as connection:
        (stored,) = decisions.search(connection, case_no=CASE, limit=9)
        assert not connection.execute(select(DUTIES).where(DUTIES.c.case_key == CASE)).all()
    assert is_sealed(stored)
    assert followed.rebuild(later(11)) == 2


def test_replay_says_that_it_is_shredded(followed: FollowUps) -> None:
    made = decide(followed)
    decide(followed, OTHER)
    destroy(followed)
    replayer = Replayer(followed.database, KEY, Vault(SECRET))
    assert replayer.replay(made).shredded
    assert [r.shredded for r in replayer.replay_all()] == [True, False]
    replayer.close()


def test_a_case_that_is_decided_anew_after_shredding(followed: FollowUps) -> None:
    """The number may come back: what is new has a new key, what was shredded stays so."""
    old = decide(followed)
    destroy(followed)
    new = decide(followed)
    assert NAME in followed.decision(new).body
    with pytest.raises(Shredded):
        followed.decision(old)
    assert report(followed)
    assert len(followed.view(CASE, TODAY)["decisions"]) == 2
    destroy(followed)
    with pytest.raises(Shredded):
        followed.decision(new)
    assert verify(followed.database, KEY).intact


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"reason": " "}, "missing_field"),
        ({"by": ""}, "missing_field"),
        ({"approved_by": "a "}, "four_eyes"),
        ({"reason": "x" * 2001}, "text_too_long"),
    ],
)
def test_shredding_takes_two_and_a_reason(
    followed: FollowUps, given: dict[str, str], code: str
) -> None:
    decide(followed)
    said = {"reason": "r", "by": "a", "approved_by": "b"} | given
    with followed.database.begin() as connection, pytest.raises(FactsError) as caught:
        shred(connection, KEY, CASE, NOW, **said)
    assert caught.value.code == code


def test_what_cannot_be_shredded(followed: FollowUps) -> None:
    plain = followed_by(followed.database, None)
    with pytest.raises(NotFound):
        destroy(followed)
    decide(plain, OTHER)
    with pytest.raises(Conflict) as caught:
        destroy(followed, OTHER)
    assert caught.value.code == "nothing_sealed"
    decide(followed)
    destroy(followed)
    with pytest.raises(Conflict) as caught:
        destroy(followed)
    assert caught.value.code == "already_shredded"
    plain.decider.close()


def test_the_journal_says_who_shredded_what(followed: FollowUps) -> None:
    decide(followed)
    destroy(followed)
    with followed.database.read() as connection:
        entry = connection.execute(select(JOURNAL).where(JOURNAL.c.kind == "shredding")).one()
    said = json.loads(entry.body)
    assert (entry.case_key, said["by"], said["approved_by"]) == (CASE, "李档案", "王庭长")


def test_a_lost_key_is_not_a_shredded_one(followed: FollowUps) -> None:
    made = decide(followed)
    with followed.database.begin() as connection:
        connection.execute(delete(CASE_KEYS))
    with pytest.raises(Unreadable) as caught:
        followed.decision(made)
    assert caught.value.code == "data_key_missing"
    assert codes(followed.database) == ["data_key_missing"]
    with pytest.raises(Conflict) as refused:
        destroy(followed)
    assert refused.value.code == "nothing_sealed"


def test_a_key_that_comes_back_is_found(followed: FollowUps) -> None:
    decide(followed)
    with followed.database.read() as connection:
        row = dict(connection.execute(select(CASE_KEYS)).mappings().one())
    destroy(followed)
    with followed.database.begin() as connection:
        connection.execute(CASE_KEYS.insert().values(row))
    assert codes(followed.database) == ["shredded_key_present"]


def test_a_damaged_key_or_hash_of_one_case_leaves_the_others(followed: FollowUps) -> None:
    broken, sound = decide(followed, key="k"), decide(followed, OTHER)
    with followed.database.begin() as connection:
        mine = CASE_KEYS.c.case_key == CASE
        connection.execute(update(CASE_KEYS).where(mine).values(wrapped="AAAA"))
    with pytest.raises(Unreadable) as caught:
        followed.decision(broken)
    assert caught.value.code == "sealed_unreadable"
    assert NAME in followed.decision(sound).body
    with pytest.raises(EligibilityError):
        decide(followed)
    assert decide(followed, OTHER)


def test_many_at_once_share_the_key_of_a_case(url: str, followed: FollowUps) -> None:
    """Decisions and events of one case, by two services."""
    both = (followed, followed_by(Database.open(url), SECRET))

    def work(number: int) -> None:
        if number % 3:
            decide(both[number % 2], key=f"k{number}")
        else:
            report(both[number % 2], f"e{number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(18)))
    with followed.database.read() as connection:
        assert len(connection.execute(select(CASE_KEYS)).all()) == 1
    found = verify(followed.database, KEY)
    assert (found.intact, found.records, found.rows) == (True, 12, 6)
    told = followed.view(CASE, TODAY)
    assert (len(told["decisions"]), len(told["events"])) == (12, 6)
    both[1].decider.close()
    both[1].close()


# --- a new sealing key ----------------------------------------------------------------------------


def test_the_sealing_key_is_changed(followed: FollowUps) -> None:
    ids = [decide(followed, f"案{number}") for number in range(3)]
    with followed.database.read() as connection:
        before = [d.body for d in decisions.search(connection, limit=9)]
    with followed.database.begin() as connection:
        assert rewrap(connection, KEY, SECRET, NEW, later(5)) == 3
    with followed.database.read() as connection:
        assert [d.body for d in decisions.search(connection, limit=9)] == before
        Vault(NEW).check(connection)
    moved = followed_by(followed.database, NEW)
    assert all(NAME in moved.decision(identity).body for identity in ids)
    with pytest.raises(Unreadable):
        followed.decision(ids[0])
    assert verify(followed.database, KEY).intact
    moved.decider.close()


def test_a_change_with_the_wrong_key_changes_nothing(followed: FollowUps) -> None:
    made = decide(followed)
    with pytest.raises(Unreadable), followed.database.begin() as connection:
        rewrap(connection, KEY, NEW, SECRET, NOW)
    assert NAME in followed.decision(made).body


@pytest.mark.sqlite
def test_nothing_is_left_in_the_file(followed: FollowUps, tmp_path: Path) -> None:
    """The wrapped key is overwritten where it stood, and the write-ahead log is emptied."""
    for number in range(50):
        decide(followed, f"案{number}")
    decide(followed)
    with followed.database.read() as connection:
        mine = CASE_KEYS.c.case_key == CASE
        wrapped = connection.execute(select(CASE_KEYS.c.wrapped).where(mine)).scalar_one()
    assert wrapped.encode() in content(tmp_path)
    destroy(followed)
    followed.database.scrub(CASE_KEYS, DUTIES)
    assert wrapped.encode() not in content(tmp_path)
    assert NAME.encode() not in content(tmp_path)


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("records.db*")))


def test_what_was_scrubbed_can_go_on(followed: FollowUps) -> None:
    decide(followed)
    destroy(followed)
    assert followed.database.scrub(CASE_KEYS, DUTIES)
    assert decide(followed)


def test_a_request_hash_cannot_be_guessed(followed: FollowUps) -> None:
    asked: Any = once("k", {"case": {}, "party": NAME})
    decide(followed, key="k")
    with followed.database.read() as connection:
        kept = connection.execute(select(IDEMPOTENCY.c.request_hash)).scalar_one()
    assert asked.request_hash not in kept
