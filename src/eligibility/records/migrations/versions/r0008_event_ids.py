"""The id of an event is its reporter's for one case; another case may have one of the same name.

While ids were unique over all cases, a refusal told a court that an id was in use for a case of
another court. Rows stay as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE, NEW = "events", "events_by_case"
UNIQUE = "uq_events_case_key_id"
REFUSAL = "recorded rows are never changed or deleted"

COLUMNS = "seq, id, case_key, type, happened_on, body, corrects, recorded_at"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("uq_events_id", TABLE)
        op.create_unique_constraint(UNIQUE, TABLE, ["case_key", "id"])
        return
    _made_anew_in_sqlite()


def _made_anew_in_sqlite() -> None:
    """SQLite lets go of a constraint only with its table; that takes its triggers along."""
    op.create_table(
        NEW,
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("case_key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("happened_on", sa.Date, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("corrects", sa.Text),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("case_key", "id", name=UNIQUE),
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO {NEW} ({COLUMNS}) SELECT {COLUMNS} FROM {TABLE} ORDER BY seq")
    op.drop_table(TABLE)
    op.rename_table(NEW, TABLE)
    op.create_index("ix_events_case_key_seq", TABLE, ["case_key", "seq"])
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_refuse_{change.lower()} BEFORE {change} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
