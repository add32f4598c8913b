"""Identifiers of debtors, cases and properties: made comparable, hashed, looked up.

Whole columns at a time with numpy and Arrow; no Python for a single identifier.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Hashes = NDArray[np.uint64]
Bits = NDArray[np.bool_]

NOBODY = ("无", "不详", "未知", "空", "暂无", "缺", "-", "--", "/", "NONE", "NULL", "NAN", "N/A")
"""What clerks write where an identifier is not known; equal words are not equal debtors."""
_NOBODY = pa.array([*NOBODY, *("0" * length for length in range(41))])
NO_CODE = -1
_CELLS = 1 << 24
_UNITED = 1 << 20
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_SHIFT = np.uint64(29)


def comparable(ids: pa.Array) -> pa.Array:
    """Identifiers as they are compared: no blanks around, capital letters (身份证号末位 x 与 X
    相同), null where the text means that nobody knows it (:data:`NOBODY`, only zeros, empty).
    """
    plain = pc.utf8_upper(pc.utf8_trim_whitespace(ids.cast(pa.string())))
    return pc.if_else(pc.is_in(plain, value_set=_NOBODY), pa.scalar(None, pa.string()), plain)


def hashes(texts: pa.Array) -> Hashes:
    """A 64-bit number for each text, the same for the same text; 0 where null."""
    whole = texts.cast(pa.large_string())
    count = len(whole)
    if not count:
        return np.zeros(0, dtype=np.uint64)
    buffers = whole.buffers()
    offsets = np.frombuffer(buffers[1], dtype=np.int64)[whole.offset : whole.offset + count + 1]
    data = np.frombuffer(buffers[2] or b"", dtype=np.uint8)
    out = np.empty(count, dtype=np.uint64)
    _hash_into(out, offsets, data, np.diff(offsets))
    if whole.null_count:
        out[np.asarray(whole.is_null())] = 0
    return out


def _hash_into(out: Hashes, offsets: Ints, data: NDArray[np.uint8], lengths: Ints) -> None:
    """Eight bytes of all texts at a time; halves what would need too wide a table.

    INVARIANT: the number of a text does not depend on the texts beside it.
    """
    count, words = len(out), -(-int(lengths.max(initial=0)) // 8)
    if count > 1 and count * words * 8 > _CELLS:
        half = count // 2
        _hash_into(out[:half], offsets[: half + 1], data, lengths[:half])
        _hash_into(out[half:], offsets[half:], data, lengths[half:])
        return
    table = np.zeros((count, words * 8), dtype=np.uint8)
    table[np.arange(words * 8) < lengths[:, None]] = data[offsets[0] : offsets[-1]]
    found = (lengths.astype(np.uint64) + np.uint64(1)) * _FACTORS[1]
    for number, word in enumerate(table.view(np.uint64).T if words else ()):
        mixed = (found ^ word) * _FACTORS[0]
        mixed ^= mixed >> _SHIFT
        mixed *= _FACTORS[1]
        mixed ^= mixed >> np.uint64(32)
        found = np.where(lengths > number * 8, mixed, found)
    out[:] = found


class Distinct:
    """Gives a code to each different text of a stream; each text is kept about once."""

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())
        self._waiting: list[pa.DictionaryArray] = []
        self._codes: list[Codes] = []
        self._size = 0

    def add(self, texts: pa.Array) -> None:
        """The next texts; none is null."""
        encoded = texts.dictionary_encode()
        self._waiting.append(encoded)
        self._size += len(encoded.dictionary)
        if self._size > max(_UNITED, len(self._known)):
            self._unite()

    def finish(self) -> tuple[pa.Array, Codes]:
        """The distinct texts in the order of their first place, and the code of every text."""
        self._unite()
        codes = np.concatenate([np.zeros(0, dtype=np.int32), *self._codes])
        self._codes.clear()
        return self._known, codes

    def _unite(self) -> None:
        """Put the texts that wait under the codes of those known, which keep theirs."""
        nothing = pa.array([], pa.int32())
        parts = [pa.DictionaryArray.from_arrays(nothing, self._known), *self._waiting]
        whole = pa.chunked_array(parts).unify_dictionaries()
        self._known = whole.chunk(0).dictionary
        self._codes += [np.array(chunk.indices, dtype=np.int32) for chunk in whole.chunks[1:]]
        self._waiting.clear()
        self._size = 0
        pa.default_memory_pool().release_unused()


class Index:
    """Finds identifiers among distinct known ones by their hashes, and compares the texts.

    INVARIANT: a code is answered only for the very same text.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        hashed = hashes(ids)
        self._order = np.argsort(hashed, kind="stable").astype(np.int32)
        self._sorted = hashed[self._order]
        same = np.flatnonzero(self._sorted[1:] == self._sorted[:-1]) if len(hashed) else ()
        clashing = {int(self._order[i + step]) for i in same for step in (0, 1)}
        self._clashes = {ids[code].as_py(): code for code in clashing}

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, wanted: pa.Array) -> Codes:
        """The position of each identifier, ``NO_CODE`` where it is not known (or null)."""
        out = np.full(len(wanted), NO_CODE, dtype=np.int32)
        if not len(self.ids) or not len(wanted):
            return out
        hashed = hashes(wanted)
        place = np.searchsorted(self._sorted, hashed).clip(max=len(self._sorted) - 1)
        near = np.flatnonzero((self._sorted[place] == hashed) & ~np.asarray(wanted.is_null()))
        code = self._order[place[near]]
        same = pc.equal(self.ids.take(pa.array(code)), wanted.take(pa.array(near)))
        found = np.asarray(same.cast(pa.bool_()), dtype=bool)
        out[near[found]] = code[found]
        for position in near[~found] if self._clashes else ():
            out[position] = self._clashes.get(wanted[int(position)].as_py(), NO_CODE)
        return out
