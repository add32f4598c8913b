"""The ledger as a whole, for whoever prints or exports it: page by page, to the last row."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from eligibility.records.follow_up import FollowUps
from eligibility.records.ledger import Cursor

PAGE = 10_000


def every_duty(followed: FollowUps, as_of: date, now: datetime, **wanted: Any) -> list[Any]:
    """All duties of the ledger as they stand on a day, by due date.

    ``wanted``: the filters of :meth:`FollowUps.duties` but for ``limit`` and ``after``.
    """
    found: list[Any] = []
    after: Cursor | None = None
    while True:
        entries, after = followed.duties(as_of, now, limit=PAGE, after=after, **wanted)
        found += entries
        if after is None:
            return found
