"""The facts of many cases, column by column: what a batch is read into and derived on.

One table holds the cases, one more each kind of record, flat behind offsets. A row that
cannot be read or derived in bulk is marked odd and judged alone, so that bulk code needs to
be right only on plain rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]
States = NDArray[np.uint8]

UNKNOWN, KNOWN, NEVER = 0, 1, 2  # NEVER: an event known not to have happened


@dataclass(slots=True)
class Column:
    """One fact over the rows of one table.

    ``values`` by the type of the fact: bool 0/1; int itself; money in fen; decimal in
    thousandths; date its ordinal; enum, set, text and lists of text a position in ``words``,
    the distinct typed values (``str``, ``frozenset[str]``, ``tuple[str, ...]``). Where the
    state is not KNOWN the value is 0 and means nothing.
    """

    values: Ints
    state: States
    words: tuple[Any, ...] = ()


@dataclass(slots=True)
class Table:
    """Facts by key, all of one length."""

    rows: int
    facts: dict[str, Column] = field(default_factory=dict)


@dataclass(slots=True)
class Records(Table):
    """The records of one kind of all cases: those of case ``i`` are ``offsets[i]:offsets[i+1]``."""

    offsets: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def owners(self) -> Ints:
        """For each record the case that it belongs to."""
        counts = np.diff(self.offsets)
        return np.repeat(np.arange(len(counts)), counts)


@dataclass(slots=True)
class Columns:
    """A batch of cases. ``as_of``: the day of evaluation of each, as an ordinal.

    ``intervals``: kind, from, to of the excluded intervals (keys as in the dictionary);
    ``silent``: cases that say nothing about intervals (not even that there are none).
    ``odd``: cases that must be judged alone; what their columns hold means nothing.
    """

    as_of: Ints
    case: Table
    records: Mapping[str, Records]
    intervals: Records
    silent: Bits
    odd: Bits

    @property
    def rows(self) -> int:
        return self.case.rows


FEW = 1 << 16


def numbered(values: Ints) -> tuple[Ints, Ints]:
    """The distinct values in order, and for each value its number among them.

    Small numbers are counted, others hashed: only the distinct ones are sorted.
    """
    if not values.size or values.min() < 0 or values.max() >= FEW:
        hashed = pa.array(values).dictionary_encode()
        distinct = hashed.dictionary.to_numpy()
        order = np.argsort(distinct)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return distinct[order], rank.take(hashed.indices.to_numpy())
    seen = np.zeros(int(values.max()) + 1, dtype=bool)
    seen[values] = True
    distinct = np.flatnonzero(seen)
    return distinct, (np.cumsum(seen) - 1)[values]


def examples(which: Ints, distinct: int) -> Ints:
    """For each number a row that has it."""
    out = np.zeros(distinct, dtype=np.int64)
    out[which] = np.arange(len(which))
    return out
