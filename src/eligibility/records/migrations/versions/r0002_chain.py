"""The log of decisions as a chain, its checkpoints; seals of rule bases; idempotency keys.

Rows from before stay as they are, without a seal: the key is not known here. The first record
or checkpoint afterwards seals them too (:mod:`eligibility.records.chain`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDED_TO_ONLY = ("checkpoints", "idempotency")
REFUSAL = "recorded rows are never changed or deleted"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("decisions", sa.Column("hash", sa.Text))
    op.add_column("rulebases", sa.Column("seal", sa.Text))
    op.create_table(
        "checkpoints",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["decisions.seq"], name="fk_checkpoints_seq"),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("decision_id", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name="fk_idempotency_decision_id"
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # A seal covers the number of its record, which so has to be known before.
        op.execute("ALTER TABLE decisions ALTER COLUMN seq DROP IDENTITY")
        _refuse_changes_in_postgresql()
    else:
        _refuse_changes_in_sqlite()


def _refuse_changes_in_sqlite() -> None:
    for table in ADDED_TO_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def _refuse_changes_in_postgresql() -> None:
    for table in ADDED_TO_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_records()"
        )
