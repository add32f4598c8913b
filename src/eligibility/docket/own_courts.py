"""The courts whose cases a caller may have screened."""

from __future__ import annotations

import numpy as np

from eligibility.courts.register import Register
from eligibility.docket.columns import KNOWN, Bits, Column
from eligibility.errors import FactsError, Problem, Text

OTHER_COURT = Problem(
    "other_court",
    Text(
        "只能筛查凭据所限法院的案件，且案件须写明执行法院",
        "only cases of the caller's own courts, which must be named as executing court",
    ),
    "court_id",
)


class OwnCourts:
    """Withholds the answers on cases of other courts, as ``POST /v1/decisions`` refuses them."""

    def __init__(self, register: Register, courts: frozenset[str]) -> None:
        self._register, self._courts = register, courts

    def check(self, named: str | None) -> None:
        """Raises FactsError (``other_court``) for a case of another court, or of none."""
        if not self._has(named):
            raise FactsError(OTHER_COURT)

    def others(self, courts: Column | None, rows: int) -> Bits:
        """The cases of other courts or of none, by their column of executing courts."""
        if courts is None:
            return np.ones(rows, dtype=bool)
        own = np.array([*map(self._has, courts.words), False])
        # A row without a value has the position 0, which may be that of a word.
        found: Bits = ~(own[courts.values] & (courts.state == KNOWN))
        return found

    def _has(self, named: str | None) -> bool:
        court = self._register.find(named)
        return (court.id if court else named) in self._courts
