"""The answers on a batch as Arrow columns, without a step for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eligibility.docket.columns import Bits, Ints, examples, numbered

Words64 = NDArray[np.uint64]


def packed(bits: Bits) -> Words64:
    """Bits, a line each and a column a case, as words of 64: a row a case."""
    lines, cases = bits.shape
    octets = np.packbits(bits, axis=0, bitorder="little")
    out = np.zeros((cases, max(1, (lines + 63) // 64)), dtype=np.uint64)
    for number, octet in enumerate(octets):
        out[:, number // 8] |= octet.astype(np.uint64) << np.uint64(8 * (number % 8))
    return out


def distinct(words: Words64) -> tuple[list[int], Ints, Ints]:
    """Distinct masks as numbers, for each a case that has it, and for each case its mask."""
    if words.shape[1] == 1 and words.max(initial=0) < 1 << 63:
        found, which = numbered(words[:, 0].view(np.int64))
        return found.tolist(), examples(which, len(found)), which
    rows, first, which = np.unique(words, axis=0, return_index=True, return_inverse=True)
    numbers = [int.from_bytes(row.astype("<u8").tobytes(), "little") for row in rows]
    return numbers, first, which.ravel()


def whole(mask: int, words: int) -> list[np.uint64]:
    """A mask of any length as words of 64."""
    return [np.uint64(mask >> 64 * i & (1 << 64) - 1) for i in range(words)]


def positions(words: Words64) -> tuple[Ints, Ints]:
    """The bits of each row: the row and the number of each bit, in order."""
    octets = words.astype("<u8", copy=False).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, bitorder="little").view(bool)
    rows, numbers = np.divmod(np.flatnonzero(bits), 64 * words.shape[1])
    return rows, numbers


def spread(lists: Sequence[Sequence[int]], which: Ints) -> tuple[Ints, Ints]:
    """``lists[which[i]]`` for each ``i``: the items one after another, before each its ``i``."""
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    flat = np.array([item for one in lists for item in one], dtype=np.int64)
    begins, counts = (np.cumsum(sizes) - sizes)[which], sizes[which]
    shift = begins - (np.cumsum(counts) - counts)
    rows = np.repeat(np.arange(len(which)), counts)
    return rows, flat[np.arange(len(rows)) + shift[rows]]


@dataclass(slots=True)
class Words:
    """A column of words, for each row the number of one; None is a word too."""

    rows: int
    codes: NDArray[np.int32] = field(init=False)
    known: dict[str | None, int] = field(default_factory=lambda: {None: 0})

    def __post_init__(self) -> None:
        self.codes = np.zeros(self.rows, dtype=np.int32)

    def put(self, rows: Ints, words: list[str | None], which: Ints) -> None:
        """``words[which[i]]`` for ``rows[i]``."""
        numbers = [self.known.setdefault(word, len(self.known)) for word in words]
        self.codes[rows] = np.array(numbers, dtype=np.int32)[which]

    def array(self) -> pa.Array:
        listed = [word for word in self.known if word is not None]
        codes = pa.array(self.codes - 1, mask=self.codes == 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(listed, pa.string()))


@dataclass(slots=True)
class Listed:
    """A column of lists of words. Of each part the items come in the order of its rows."""

    rows: int
    known: dict[str, int] = field(default_factory=dict)
    parts: list[tuple[Ints, Ints]] = field(default_factory=list)

    def put(self, rows: Ints, words: list[str], codes: Ints) -> None:
        """Items ``words[codes[i]]`` of ``rows[i]``; no row in two parts."""
        if len(rows):
            numbers = [self.known.setdefault(word, len(self.known)) for word in words]
            self.parts.append((rows, np.array(numbers, dtype=np.int64)[codes]))

    def array(self) -> pa.Array:
        counts = np.zeros(self.rows, dtype=np.int64)
        for rows, _ in self.parts:
            counts += np.bincount(rows, minlength=self.rows)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        codes = np.zeros(int(offsets[-1]), dtype=np.int64)
        for rows, held in self.parts:
            starts = np.flatnonzero(np.diff(rows, prepend=-1))
            nth = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
            codes[offsets[rows] + nth] = held
        values = pa.array(list(self.known), pa.string()).take(pa.array(codes))
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def text_of(docket: pa.RecordBatch, names: Iterable[str]) -> pa.Array:
    """A text as the docket has it, under the first of its names; nulls without it."""
    for name in names:
        at = docket.schema.get_all_field_indices(name)
        if at:
            return docket.column(at[0])
    return pa.nulls(docket.num_rows, pa.string())


def as_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts as texts or as words of a dictionary; what is neither is left out."""
    if array.type == kind:
        return array
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    if plain.type not in (pa.string(), pa.large_string()):
        return pa.nulls(len(array), kind)
    plain = plain.cast(pa.string())
    return plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain
