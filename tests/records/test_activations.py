"""Which rule base is in force on which day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from eligibility.errors import Conflict, FactsError, NotFound
from eligibility.records import activations
from eligibility.records.activations import Activation, Schedule, Span, rollback, schedule
from eligibility.records.database import Database
from eligibility.records.rulebases import Library
from eligibility.vocabulary.values import FIRST_DAY
from records.samples import KEY, NOW, keep_base
from rulebase.rulebases import base_texts

FIRST, SECOND = date(2026, 3, 1), date(2026, 7, 1)
A, B, C = "a", "b", "c"


def other(connection: Connection, version: str) -> str:
    """Another version of the small rule base, published."""
    texts = {
        name: text.replace('version: "test"', f'version: "{version}"')
        for name, text in base_texts().items()
    }
    assert texts != base_texts()
    rulebase, new = activations.publish(connection, texts, NOW, KEY)
    assert new
    again, new = activations.publish(connection, texts, NOW, KEY)
    assert (again.digest, new) == (rulebase.digest, False)
    return rulebase.digest


def activate(database: Database, digest: str, since: date, served: str) -> Activation:
    with database.begin() as connection:
        return activations.activate(
            connection, digest, since, NOW, served=served, by="tester", note="n"
        )


def read(database: Database) -> Schedule:
    with database.read() as connection:
        found = schedule(connection)
        assert activations.latest(connection) == found.sequence
    return found


def test_what_is_served_before_the_first_activation_is_put_down(database: Database) -> None:
    with database.begin() as connection:
        base, new = keep_base(connection), other(connection, "2")
    assert read(database) == Schedule()
    assert read(database).on(FIRST) is None
    activate(database, new, FIRST, served=base)
    found = read(database)
    assert found.on(date(2026, 2, 28)) == base
    assert found.on(FIRST) == found.on(date(2099, 1, 1)) == new
    assert found.spans(base) == [Span(FIRST_DAY, date(2026, 2, 28))]
    assert found.spans(new) == [Span(FIRST, None)]


def test_an_activation_lasts_until_the_day_of_another(database: Database) -> None:
    with database.begin() as connection:
        base, two, three = keep_base(connection), other(connection, "2"), other(connection, "3")
    activate(database, two, SECOND, base)
    activate(database, three, FIRST, base)  # later, but for earlier days: July stays
    found = read(database)
    assert [found.on(d) for d in (date(2026, 1, 1), FIRST, SECOND)] == [base, three, two]
    activate(database, three, SECOND, base)  # the same day again: the later one counts
    assert read(database).on(SECOND) == three


def test_taking_back_is_a_row_and_restores_what_was(database: Database) -> None:
    with database.begin() as connection:
        base, two, three = keep_base(connection), other(connection, "2"), other(connection, "3")
    activate(database, two, FIRST, base)
    before = read(database)
    activate(database, three, FIRST, base)
    with database.begin() as connection:
        made = rollback(connection, NOW, by="tester", note="wrong")
    found = read(database)
    assert (made.digest, made.withdraws) == (three, before.sequence + 1)
    assert found.rows[:-2] == before.rows
    assert found.starts() == before.starts()
    with database.begin() as connection:
        rollback(connection, NOW, by="tester")
    assert read(database).on(SECOND) == base
    with pytest.raises(Conflict, match="nothing_to_roll_back"), database.begin() as connection:
        rollback(connection, NOW, by="tester")


@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=9),
    day=st.integers(0, 6),
)
def test_the_schedule_is_the_last_word_of_each_day(
    rows: list[tuple[str, int, bool]], day: int
) -> None:
    """Against the obvious: activations on a stack, each day asked of all that stand."""
    made: list[Activation] = []
    stack: list[Activation] = []
    for number, (digest, since, back) in enumerate(rows, 1):
        withdrawn = stack.pop() if back and stack else None
        row = Activation(
            number,
            digest,
            date(2026, 1, 1 + since),
            withdrawn.seq if withdrawn else None,
            NOW,
            "t",
            "",
        )
        made.append(row)
        if withdrawn is None:
            stack.append(row)
    asked = date(2026, 1, 1 + day)
    by_then = [row for row in stack if row.effective_from <= asked]
    wanted = max(by_then, key=lambda r: (r.effective_from, r.seq)).digest if by_then else None
    found = Schedule(tuple(made))
    assert found.on(asked) == wanted
    covering = [
        digest
        for digest in "abc"
        for span in found.spans(digest)
        if span.since <= asked and (span.until is None or asked <= span.until)
    ]
    assert covering == ([wanted] if wanted else [])


def test_activations_at_once_are_all_kept(database: Database) -> None:
    with database.begin() as connection:
        base = keep_base(connection)
        more = [other(connection, str(n)) for n in range(2, 6)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda d: activate(database, d, FIRST, base), more * 4))
    found = read(database)
    assert sorted(row.seq for row in made) == [row.seq for row in found.rows[1:]]
    assert found.on(FIRST) == max(made, key=lambda row: row.seq).digest
    assert sum(row.by == activations.FROM_FOLDER for row in found.rows) == 1


@pytest.mark.parametrize(
    ("by", "note", "since", "code"),
    [
        (" ", "", FIRST, "missing_field"),
        ("x" * 201, "", FIRST, "text_too_long"),
        ("x", "y" * 2001, FIRST, "text_too_long"),
        ("x", "", date(1, 1, 1), "out_of_range"),
        (activations.FROM_FOLDER, "", FIRST, "missing_field"),
    ],
)
def test_unfit_activations(database: Database, by: str, note: str, since: date, code: str) -> None:
    with database.begin() as connection:
        base = keep_base(connection)
    with pytest.raises(FactsError, match=code), database.begin() as connection:
        activations.activate(connection, base, since, NOW, served=base, by=by, note=note)
    assert read(database) == Schedule()


def test_only_a_published_rule_base_passes_the_check(database: Database) -> None:
    with database.begin() as connection:
        base = keep_base(connection)
    library = Library(database, KEY)
    assert activations.check(library, base, FIRST).digest == base
    with pytest.raises(NotFound, match="unknown_rulebase"):
        activations.check(library, "sha256:" + "0" * 64, FIRST)
