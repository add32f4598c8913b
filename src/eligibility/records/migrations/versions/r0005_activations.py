"""When which rule base is in force: activations, and activations taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = "activations"
REFUSAL = "recorded rows are never changed or deleted"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("seq", SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("effective_from", sa.Date, nullable=False),
        sa.Column("withdraws", SEQ),
        sa.Column("activated_at", MOMENT, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.UniqueConstraint("withdraws", name="uq_activations_withdraws"),
        sa.ForeignKeyConstraint(["digest"], ["rulebases.digest"], name="fk_activations_digest"),
        sa.ForeignKeyConstraint(
            ["withdraws"], ["activations.seq"], name="fk_activations_withdraws"
        ),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {TABLE}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_records()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_refuse_{change.lower()} BEFORE {change} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
