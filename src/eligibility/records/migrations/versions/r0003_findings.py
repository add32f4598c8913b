"""Who asked for a decision, what it was computed with, and what was found on the way.

Records from before stay as they are, sealed without these columns.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("caller", "versions", "findings"):
        op.add_column("decisions", sa.Column(name, sa.Text))
