"""Which rule base is in force on which day: activations, only ever added to.

An activation says: from this day on, this rule base, until the day of another activation.
Taking one back is a row as well, which names the one it withdraws. Until something is
activated, a service decides by the rule base of its folder; the first activation puts that one
down as in force from the first day, so that the schedule is whole from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Row, func, insert, select

from eligibility.engines.trial import prove
from eligibility.errors import Conflict, FactsError, Problem, Text
from eligibility.records import rulebases
from eligibility.records.journal import ACTIVATION, Journal
from eligibility.records.names import check_texts
from eligibility.records.rulebases import Library
from eligibility.records.seals import LogKey
from eligibility.records.tables import ACTIVATIONS
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.values import FIRST_DAY

FROM_FOLDER = "folder"
"""Who activated the rule base that was served before the first activation: nobody did."""

_TURN = 0x61637476  # PostgreSQL's advisory lock: one activation at a time
LONGEST_NOTE = 2000
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Activation:
    """A row of the schedule; ``withdraws``: the number of the activation that it takes back."""

    seq: int
    digest: str
    effective_from: date
    withdraws: int | None
    activated_at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which a rule base is in force; ``until`` is the last one, None: no end is set."""

    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """All rows as they were read; ``sequence`` is the number of the last one, 0 without any."""

    rows: tuple[Activation, ...] = ()

    @property
    def sequence(self) -> int:
        return self.rows[-1].seq if self.rows else 0

    def standing(self) -> list[Activation]:
        """The activations that were not withdrawn, in the order in which they were made."""
        gone = {row.withdraws for row in self.rows}
        return [row for row in self.rows if row.withdraws is None and row.seq not in gone]

    def starts(self) -> list[tuple[date, str]]:
        """The days on which a rule base begins to be in force, in order, each once.

        INVARIANT: of two activations from the same day the later one counts.
        """
        return sorted({row.effective_from: row.digest for row in self.standing()}.items())

    def on(self, day: date) -> str | None:
        """The digest in force on a day; None where the schedule says nothing of it."""
        return next((d for since, d in reversed(self.starts()) if since <= day), None)

    def spans(self, digest: str) -> list[Span]:
        """When a rule base is in force."""
        starts = self.starts()
        ends: list[date | None] = [since - timedelta(days=1) for since, _ in starts[1:]]
        ends += [None] * (len(starts) - len(ends))
        return [
            Span(since, end)
            for (since, found), end in zip(starts, ends, strict=True)
            if found == digest
        ]


def latest(connection: Connection) -> int:
    """The number of the last row: while it is the same, so is the schedule."""
    return connection.execute(select(func.max(ACTIVATIONS.c.seq))).scalar_one() or 0


def schedule(connection: Connection) -> Schedule:
    """The schedule as it stands in the database."""
    rows = connection.execute(select(ACTIVATIONS).order_by(ACTIVATIONS.c.seq))
    return Schedule(tuple(_read(row) for row in rows))


def publish(
    connection: Connection, texts: Mapping[str, str], now: datetime, log_key: LogKey | None = None
) -> tuple[Rulebase, bool]:
    """Keep the rule base that the texts give; it, and whether it is new here.

    Raises :class:`RulebaseError` where it has faults.
    """
    from eligibility.rulebase.loader import load

    rulebase = load(texts)
    return rulebase, rulebases.keep(connection, rulebase, texts, now, log_key)


def check(library: Library, digest: str, day: date) -> Rulebase:
    """The published rule base, tried out in a child process, as the law stands on ``day``.

    To be called before :func:`activate`, outside its transaction. Raises NotFound
    (``unknown_rulebase``), RecordsError (altered, unreadable), EngineError
    (``engine_trial_failed``).
    """
    rulebase = library.get(digest)
    prove(rulebase, day)
    return rulebase


def activate(
    connection: Connection,
    digest: str,
    effective_from: date,
    now: datetime,
    *,
    served: str,
    by: str,
    note: str = "",
    log_key: LogKey | None = None,
) -> Activation:
    """Put a kept rule base in force from a day on.

    ``served``: the digest, kept as well, that is served while nothing is activated; the first
    activation puts it down. ``log_key`` seals it. A transaction that did something before calls
    :func:`eligibility.records.heads.lock` first. Raises FactsError (names or notes unfit to be
    kept, a day out of range) and RecordsError (``no_log_key``, ``other_log_key``).
    """
    _check_said(by, note)
    if effective_from < FIRST_DAY:
        text = Text(f"不得早于 {FIRST_DAY}", f"must not be before {FIRST_DAY}")
        raise FactsError(Problem("out_of_range", text, "effective_from"))
    journal = Journal(connection, log_key, now)
    _my_turn(connection)
    if latest(connection) == 0:
        _add(connection, journal, served, FIRST_DAY, None, now, FROM_FOLDER, "")
    return _add(connection, journal, digest, effective_from, None, now, by, note)


def rollback(
    connection: Connection,
    now: datetime,
    *,
    by: str,
    note: str = "",
    log_key: LogKey | None = None,
) -> Activation:
    """Take back the last activation that stands; what was in force without it is so again.

    Raises Conflict (``nothing_to_roll_back``).
    """
    _check_said(by, note)
    journal = Journal(connection, log_key, now)
    _my_turn(connection)
    stands = [row for row in schedule(connection).standing() if row.by != FROM_FOLDER]
    if not stands:
        text = Text("没有可以撤回的启用", "no activation is left to be taken back")
        raise Conflict(Problem("nothing_to_roll_back", text))
    last = stands[-1]
    return _add(connection, journal, last.digest, last.effective_from, last.seq, now, by, note)


def _check_said(by: str, note: str) -> None:
    check_texts({"by": by, "note": note}, "activation")
    for place, said, longest in (("by", by, LONGEST_NAME), ("note", note, LONGEST_NOTE)):
        if len(said) > longest:
            text = Text(f"不得超过 {longest} 字", f"at most {longest} characters")
            raise FactsError(Problem("text_too_long", text, place))
    if not by.strip() or by == FROM_FOLDER:
        text = Text("须写明由谁启用或撤回", "say who does it")
        raise FactsError(Problem("missing_field", text, "by"))


def _my_turn(connection: Connection) -> None:
    """SQLite lets one transaction write at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_TURN)))


def _add(
    connection: Connection,
    journal: Journal,
    digest: str,
    effective_from: date,
    withdraws: int | None,
    now: datetime,
    by: str,
    note: str,
) -> Activation:
    row = {
        "digest": digest,
        "effective_from": effective_from,
        "withdraws": withdraws,
        "activated_at": now,
        "by": by,
        "note": note,
    }
    connection.execute(insert(ACTIVATIONS).values(row).inline())
    seq = latest(connection)
    journal.add_row(ACTIVATION, {**row, "seq": seq})
    return Activation(seq, digest, effective_from, withdraws, now, by, note)


def _read(row: Row[tuple[object, ...]]) -> Activation:
    return Activation(**row._mapping)
