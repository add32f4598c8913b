"""The chain of events and activations; keys that personal data is sealed with.

Rows from before stay as they are. The first entry of the journal covers the events and the
activations that are there by then (:mod:`eligibility.records.journal`); what was recorded
unsealed stays so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE = "journal"
REFUSAL = "recorded rows are never changed or deleted"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("decisions", sa.Column("beside", sa.Text))
    op.add_column("checkpoints", sa.Column("journal", sa.Text))
    op.create_table(
        TABLE,
        sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("ref", SEQ),
        sa.Column("seal", sa.Text),
        sa.Column("case_key", KEY),
        sa.Column("body", sa.Text),
        sa.Column("beside", sa.Text),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("ix_journal_case_key", TABLE, ["case_key"])
    op.create_table(
        "case_keys",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("case_key", KEY, nullable=False),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("wrapped_by", sa.Text, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.UniqueConstraint("case_key", name="uq_case_keys_case_key"),
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
