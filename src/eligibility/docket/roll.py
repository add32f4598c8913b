"""The roll of a docket: who is named in which row, kept small and brought together by debtor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from eligibility.docket.identifiers import Checks, Codes, Hashes, Ints, prints

BLOCK = 1 << 18  # times that a debtor is named, brought together at once
_BITS = 6
_SHIFT = np.uint64(64 - _BITS)


@dataclass(frozen=True, slots=True)
class Block:
    """Some debtors, in the order of their hashes, with what stands for each, and the rows that
    name them (``rows``): first all of the first debtor, ascending, and so on; ``sizes``: how many
    each has.
    """

    hashed: Hashes
    checks: Checks
    sizes: Ints
    rows: Codes


@dataclass(frozen=True, slots=True)
class _Part:
    """Mentions of one batch by the first bits of their hash; ``ends`` of each value of these."""

    hashed: Hashes
    checks: Checks
    rows: Codes
    ends: Ints


class Roll:
    """Collects mentions, 16 bytes each; :meth:`blocks` gives them by debtor."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self.named = 0

    def add(self, ids: pa.Array, rows: Codes) -> None:
        """Debtors and the rows that name them; none is null."""
        hashed, checks = prints(ids)
        first = (hashed >> _SHIFT).astype(np.uint8)
        order = np.argsort(first, kind="stable")
        ends = np.cumsum(np.bincount(first, minlength=1 << _BITS))
        self._parts.append(_Part(hashed[order], checks[order], rows[order], ends))
        self.named += len(rows)

    def blocks(self) -> Iterator[Block]:
        """All debtors in the order of their hashes; each stands in one block.

        Mentions are given up on the way.
        """
        sizes = sum((part.ends for part in self._parts), np.zeros(1 << _BITS, dtype=np.int64))
        first = 0
        while first < 1 << _BITS and self._parts:
            done = int(sizes[first - 1]) if first else 0
            last = max(int(np.searchsorted(sizes, done + BLOCK, side="right")), first + 1)
            yield _block(*self._between(first, min(last, 1 << _BITS)))
            first = last
        self._parts.clear()

    def _between(self, first: int, last: int) -> tuple[Hashes, Checks, Codes]:
        spans = [
            (part, slice(int(part.ends[first - 1]) if first else 0, int(part.ends[last - 1])))
            for part in self._parts
        ]
        return (
            np.concatenate([part.hashed[span] for part, span in spans]),
            np.concatenate([part.checks[span] for part, span in spans]),
            np.concatenate([part.rows[span] for part, span in spans]),
        )


def _block(hashed: Hashes, checks: Checks, rows: Codes) -> Block:
    """INVARIANT: mentions are of one debtor iff both hash and check are the same."""
    order = np.argsort(hashed)
    hashed, checks, rows = hashed[order], checks[order], rows[order]
    new = np.ones(len(hashed), dtype=bool)
    np.not_equal(hashed[1:], hashed[:-1], out=new[1:])
    if bool((~new[1:] & (checks[1:] != checks[:-1])).any()):
        order = np.lexsort((checks, hashed))
        hashed, checks, rows = hashed[order], checks[order], rows[order]
        new[1:] = (hashed[1:] != hashed[:-1]) | (checks[1:] != checks[:-1])
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(hashed)))
    several = np.repeat(sizes > 1, sizes)
    debtor = np.repeat(np.arange(len(sizes)), sizes)[several]
    keys = np.sort((debtor << 32) | rows[several])
    rows[several] = (keys & 0xFFFFFFFF).astype(np.int32)
    return Block(hashed[starts], checks[starts], sizes, rows)
