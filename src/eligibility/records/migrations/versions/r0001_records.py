"""Rule bases, decisions, events; the ledger that is computed from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ADDED_TO_ONLY = ("rulebases", "decisions", "events")
REFUSAL = "recorded rows are never changed or deleted"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _rulebases()
    _decisions()
    _events()
    _ledger()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_changes_in_postgresql()
    else:
        _refuse_changes_in_sqlite()


def _rulebases() -> None:
    op.create_table(
        "rulebases",
        sa.Column("digest", KEY, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("texts", sa.LargeBinary, nullable=False),
        sa.Column("kept_at", MOMENT, nullable=False),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("seq", SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_key", KEY, nullable=False),
        sa.Column("case_no", sa.Text),
        sa.Column("court_id", sa.Text),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("channel", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("follows", KEY),
        sa.UniqueConstraint("id", name="uq_decisions_id"),
        sa.ForeignKeyConstraint(["digest"], ["rulebases.digest"], name="fk_decisions_digest"),
        sa.ForeignKeyConstraint(["follows"], ["decisions.id"], name="fk_decisions_follows"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_case_key_seq", "decisions", ["case_key", "seq"])
    op.create_index("ix_decisions_court_id_decided_at", "decisions", ["court_id", "decided_at"])
    op.create_index("ix_decisions_outcome", "decisions", ["outcome"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_key", KEY, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("happened_on", sa.Date, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("corrects", KEY),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.UniqueConstraint("id", name="uq_events_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_case_key_seq", "events", ["case_key", "seq"])


def _ledger() -> None:
    op.create_table(
        "duties",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("case_key", KEY, nullable=False),
        sa.Column("case_no", sa.Text),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("duty", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("court_id", sa.Text),
        sa.Column("starts_on", sa.Date),
        sa.Column("due", sa.Date),
        sa.Column("done_on", sa.Date),
        sa.Column("ended_on", sa.Date),
        sa.Column("lapses_on", sa.Date),
        sa.Column("moving", sa.Boolean, nullable=False),
        sa.Column("decision_id", KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_duties_case_key", "duties", ["case_key"])
    op.create_index("ix_duties_due", "duties", ["due"])
    op.create_index("ix_duties_court_id_due", "duties", ["court_id", "due"])
    op.create_index(
        "ix_duties_moving",
        "duties",
        ["case_key", "court_id"],
        sqlite_where=sa.text("moving IS 1"),
        postgresql_where=sa.text("moving IS true"),
    )
    op.create_table(
        "projections",
        sa.Column("case_key", KEY, primary_key=True),
        sa.Column("projected_at", MOMENT, nullable=False),
        sa.Column("digest", KEY, nullable=False),
    )


def _refuse_changes_in_sqlite() -> None:
    for table in ADDED_TO_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def _refuse_changes_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change_of_records() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in ADDED_TO_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_records()"
        )
