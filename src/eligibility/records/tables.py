"""The tables of the database, as the migrations leave it.

Most are only ever added to (:data:`ADDED_TO_ONLY`; the migrations have triggers that refuse
anything else). ``duties`` is the follow-up ledger, a projection that is computed from
decisions and events; ``projections`` marks what it was computed from.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

REVISION = "0008"
"""The last of the migrations; a database at it needs none."""

ADDED_TO_ONLY = (
    "rulebases",
    "decisions",
    "events",
    "checkpoints",
    "idempotency",
    "activations",
    "journal",
)

# Keys sort by code point everywhere, so that both databases list rows in the same order.
KEY = Text().with_variant(Text(collation="C"), "postgresql")
SEQ = BigInteger().with_variant(Integer(), "sqlite")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A point in time, UTC when read. A time without its zone is refused: it names no point."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def in_utc(moment: datetime) -> datetime:
    """The same point in time in UTC. Raises :class:`ValueError` where the zone is missing."""
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs its zone: {moment.isoformat()}")
    return moment.astimezone(UTC)


def _seq() -> Column[int]:
    """Grows with every row and is never used again.

    On PostgreSQL numbers may be skipped, and rows that are written at the same time may become
    visible in another order.
    """
    return Column("seq", SEQ, Identity(always=True), primary_key=True)


RULEBASES = Table(
    "rulebases",
    METADATA,
    Column("digest", KEY, primary_key=True),
    Column("version", Text, nullable=False),
    Column("texts", LargeBinary, nullable=False),
    Column("kept_at", Moment, nullable=False),
    Column("seal", Text),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    # Counts from 1 without a gap: the log is a chain (records/chain.py).
    Column("seq", SEQ, primary_key=True, autoincrement=False),
    Column("id", KEY, nullable=False, unique=True),
    Column("case_key", KEY, nullable=False),
    Column("case_no", Text),
    Column("court_id", Text),
    Column("profile", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("channel", Text),
    Column("outcome", Text, nullable=False, index=True),
    Column("digest", KEY, ForeignKey("rulebases.digest"), nullable=False),
    Column("engine", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("follows", KEY, ForeignKey("decisions.id")),
    Column("hash", Text),
    Column("caller", Text),
    Column("versions", Text),
    Column("findings", Text),
    Column("beside", Text),
    Index(None, "case_key", "seq"),
    Index(None, "court_id", "decided_at"),
    sqlite_autoincrement=True,
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("seq", SEQ, ForeignKey("decisions.seq"), primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("mac", Text, nullable=False),
    Column("journal", Text),
)

# The chain of what is on record besides decisions (records/journal.py).
JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", SEQ, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("ref", SEQ),
    Column("seal", Text),
    Column("case_key", KEY, index=True),
    Column("body", Text),
    Column("beside", Text),
    Column("made_at", Moment, nullable=False),
    Column("hash", Text, nullable=False),
)

# The keys that personal data is sealed with: deleted to shred it (records/vault.py).
CASE_KEYS = Table(
    "case_keys",
    METADATA,
    Column("id", KEY, primary_key=True),
    Column("case_key", KEY, nullable=False, unique=True),
    Column("wrapped", Text, nullable=False),
    Column("wrapped_by", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key", KEY, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("decision_id", KEY, ForeignKey("decisions.id"), nullable=False),
    Column("made_at", Moment, nullable=False),
)

ACTIVATIONS = Table(
    "activations",
    METADATA,
    _seq(),
    Column("digest", KEY, ForeignKey("rulebases.digest"), nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("withdraws", SEQ, ForeignKey("activations.seq"), unique=True),
    Column("activated_at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)

EVENTS = Table(
    "events",
    METADATA,
    _seq(),
    Column("id", KEY, nullable=False),
    Column("case_key", KEY, nullable=False),
    Column("type", Text, nullable=False),
    Column("happened_on", Date, nullable=False),
    Column("body", Text, nullable=False),
    Column("corrects", KEY),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("case_key", "id"),
    Index(None, "case_key", "seq"),
    sqlite_autoincrement=True,
)

DUTIES = Table(
    "duties",
    METADATA,
    Column("id", KEY, primary_key=True),
    Column("case_key", KEY, nullable=False, index=True),
    Column("case_no", Text),
    Column("rule", Text, nullable=False),
    Column("duty", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("court_id", Text),
    Column("starts_on", Date),
    Column("due", Date, index=True),
    Column("done_on", Date),
    Column("ended_on", Date),
    Column("lapses_on", Date),
    Column("moving", Boolean, nullable=False),
    Column("decision_id", KEY, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "court_id", "due"),
)

# Few rows move, and they are asked for before every search.
Index(
    "ix_duties_moving",
    DUTIES.c.case_key,
    DUTIES.c.court_id,
    sqlite_where=DUTIES.c.moving.is_(True),
    postgresql_where=DUTIES.c.moving.is_(True),
)

PROJECTIONS = Table(
    "projections",
    METADATA,
    Column("case_key", KEY, primary_key=True),
    Column("projected_at", Moment, nullable=False),
    Column("digest", KEY, nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", KEY, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("courts", Text),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

SCREENINGS = Table(
    "screenings",
    METADATA,
    _seq(),
    Column("id", KEY, nullable=False, unique=True),
    Column("caller", KEY, nullable=False),
    Column("once_key", KEY, unique=True),
    Column("request_hash", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("digest", KEY, ForeignKey("rulebases.digest"), nullable=False),
    Column("docket_bytes", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("cancelling", Boolean, nullable=False),
    Column("host", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("lease_until", Moment),
    Column("started_at", Moment),
    Column("told_at", Moment),
    Column("finished_at", Moment),
    Column("rows_done", BigInteger, nullable=False),
    Column("bytes_done", BigInteger, nullable=False),
    Column("summary", Text),
    Column("problems", Text),
    sqlite_autoincrement=True,
)
