"""Screenings of whole dockets as background jobs: their state, never their dockets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "screenings",
        sa.Column("seq", SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("id", KEY, nullable=False),
        sa.Column("caller", KEY, nullable=False),
        sa.Column("once_key", KEY),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("docket_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("lease_until", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("told_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("rows_done", sa.BigInteger, nullable=False),
        sa.Column("bytes_done", sa.BigInteger, nullable=False),
        sa.Column("summary", sa.Text),
        sa.Column("problems", sa.Text),
        sa.UniqueConstraint("id", name="uq_screenings_id"),
        sa.UniqueConstraint("once_key", name="uq_screenings_once_key"),
        sa.ForeignKeyConstraint(["digest"], ["rulebases.digest"], name="fk_screenings_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_screenings_state", "screenings", ["state"])
