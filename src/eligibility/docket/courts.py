"""Courts by number: the register on whole columns of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eligibility.courts.register import Register
from eligibility.docket.columns import Bits, Ints

NO_COURT = -1


class CourtNumbers:
    """The courts of a register as numbers from 0; what is no court is :data:`NO_COURT`."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.courts = list(register.courts.values())
        self._number = {id(court): i for i, court in enumerate(self.courts)}
        above = [[self._number[id(s)] for s in register.superiors(c)] for c in self.courts]
        # One list for each height; the last place of each is that of NO_COURT.
        self._above = [
            np.array([*(a[i] if i < len(a) else NO_COURT for a in above), NO_COURT], dtype=np.int64)
            for i in range(max(map(len, above), default=0))
        ]

    def numbers(self, words: Sequence[Any]) -> Ints:
        """The court that each word names."""
        found = (self.register.find(word) for word in words)
        listed = [NO_COURT if c is None else self._number[id(c)] for c in found]
        return np.array(listed, dtype=np.int64)

    def commands(self, decider: Ints, court: Ints) -> Bits:
        """Whether each decider is a superior of the court beside it."""
        out = np.zeros(len(court), dtype=bool)
        for above in self._above:
            out |= above[court] == decider
        out &= decider != NO_COURT
        return out

    def identities(self, *lists: Sequence[Any]) -> list[Ints]:
        """For lists of words a number for each word: equal where two words mean the same.

        All names of a court mean the court; any other word means itself.
        """
        seen: dict[Any, int] = {}
        out = []
        for words in lists:
            numbers = self.numbers(words)
            keys = [
                ("court", n) if n != NO_COURT else ("word", word)
                for n, word in zip(numbers.tolist(), words, strict=True)
            ]
            found = [seen.setdefault(key, len(seen)) for key in keys]
            out.append(np.array(found, dtype=np.int64))
        return out
