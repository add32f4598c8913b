"""Identifiers of debtors, cases and properties: made comparable, hashed, looked up.

Whole columns at a time with numpy and Arrow; no Python for a single identifier.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Hashes = NDArray[np.uint64]
Checks = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Bits = NDArray[np.bool_]

NOBODY = ("无", "不详", "未知", "空", "暂无", "缺", "-", "--", "/", "NONE", "NULL", "NAN", "N/A")
"""What clerks write where an identifier is not known; equal words are not equal debtors."""
_NOBODY = pa.array([*NOBODY, *("0" * length for length in range(41))])
_ZERO, _N, _Z = (np.uint8(ord(sign)) for sign in "0NZ")


def _marked(*numbers: int) -> Bits:
    """Bytes of UTF-8: all up to the blank, and these."""
    out = np.zeros(256, dtype=bool)
    out[[*range(ord(" ") + 1), *numbers]] = True
    return out


_MAY_BEGIN = _marked(0xC2, 0xE1, 0xE2, 0xE3)
_MAY_END = _marked(*range(0x80, 0x8F), 0x9A, 0x9F, 0xA0, 0xA8, 0xA9, 0xAF)
"""The first and the last bytes of the signs that are blanks (U+0085, U+00A0, U+1680, U+180E,
U+2000 to U+205F, U+3000), and of others."""
NO_CODE = -1
_CELLS = 1 << 24
_FACTORS = tuple(
    np.uint64(factor)
    for factor in (
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0xD6E8FEB86659FD93,
        0xFF51AFD7ED558CCD,
    )
)
_SHIFT, _HALF = np.uint64(29), np.uint64(32)
_MOST_BITS = 24
_STEPS = 16


def comparable(ids: pa.Array) -> pa.Array:
    """Identifiers as they are compared: no blanks around, capital letters (身份证号末位 x 与 X
    相同), null where the text means that nobody knows it (:data:`NOBODY`, only zeros, empty).
    """
    texts = ids.cast(pa.string())
    if not _of_capitals(texts):
        texts = pc.utf8_upper(pc.utf8_trim_whitespace(texts))
        return _known(texts, pc.is_in(texts, value_set=_NOBODY))
    offsets, data = bytes_of(texts)
    first = data[np.minimum(offsets[:-1], len(data) - 1)]
    suspect = np.flatnonzero((first == _ZERO) | (first == _N) | (offsets[1:] == offsets[:-1]))
    nobody = np.asarray(pc.is_in(texts.take(pa.array(suspect)), value_set=_NOBODY))
    if not nobody.any():
        return texts
    found = np.zeros(len(texts), dtype=bool)
    found[suspect[nobody]] = True
    return _known(texts, pa.array(found))


def _known(texts: pa.Array, nobody: pa.Array) -> pa.Array:
    return pc.if_else(nobody, pa.scalar(None, pa.string()), texts)


def _of_capitals(texts: pa.Array) -> bool:
    """Whether all signs are digits, capital letters or among ``:;<=>?@``."""
    if not len(texts) or not texts.buffers()[2]:
        return False
    offsets, data = bytes_of(texts)
    used = data[offsets[0] : offsets[-1]]
    return bool(len(used)) and bool((used - _ZERO <= _Z - _ZERO).all())


def trimmed(texts: pa.Array) -> pa.Array:
    """Texts without blanks around; null where nothing is left."""
    if _bare(texts):
        return texts
    plain = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _bare(texts: pa.Array) -> bool:
    """Whether surely no text is empty, or begins or ends with a blank."""
    if not len(texts) or not texts.buffers()[2]:
        return False
    offsets, data = bytes_of(texts)
    starts, ends = offsets[:-1], offsets[1:]
    empty = starts == ends
    if empty.any():
        if bool((empty & np.asarray(texts.is_valid())).any()):
            return False
        starts, ends = starts[~empty], ends[~empty]
    return not (_MAY_BEGIN[data[starts]].any() or _MAY_END[data[ends - 1]].any())


def hashes(texts: pa.Array) -> Hashes:
    """A 64-bit number for each text, the same for the same text; 0 where null."""
    return _hashed(texts, None)


def prints(texts: pa.Array) -> tuple[Hashes, Checks]:
    """Of each text its hash and 32 bits of another, mixed independently; 0 where null.

    Both together stand for the text: two of ten million different ones agree by chance in one
    docket out of 10^15.
    """
    checks = np.zeros(len(texts), dtype=np.uint32)
    return _hashed(texts, checks), checks


def _hashed(texts: pa.Array, checks: Checks | None) -> Hashes:
    large = pa.types.is_large_string(texts.type)
    whole = texts if large or pa.types.is_string(texts.type) else texts.cast(pa.string())
    count = len(whole)
    if not count:
        return np.zeros(0, dtype=np.uint64)
    offsets, data = bytes_of(whole)
    out = np.empty(count, dtype=np.uint64)
    _hash_into(out, checks, offsets, data, np.diff(offsets))
    if whole.null_count:
        silent = np.asarray(whole.is_null())
        out[silent] = 0
        if checks is not None:
            checks[silent] = 0
    return out


def bytes_of(texts: pa.Array) -> tuple[Any, Bytes]:
    """Where each text begins in the bytes of all, and where the last ends."""
    buffers, kind = texts.buffers(), np.int32 if pa.types.is_string(texts.type) else np.int64
    offsets = np.frombuffer(buffers[1], dtype=kind)
    return (
        offsets[texts.offset : texts.offset + len(texts) + 1],
        np.frombuffer(buffers[2] or b"", dtype=np.uint8),
    )


def _hash_into(out: Hashes, checks: Checks | None, offsets: Any, data: Bytes, lengths: Any) -> None:
    """Eight bytes of all texts at a time; halves what would need too wide a table.

    INVARIANT: the number of a text does not depend on the texts beside it.
    """
    count, words = len(out), -(-int(lengths.max(initial=0)) // 8)
    if count > 1 and count * words * 8 > _CELLS:
        half = count // 2
        one, two = (None, None) if checks is None else (checks[:half], checks[half:])
        _hash_into(out[:half], one, offsets[: half + 1], data, lengths[:half])
        _hash_into(out[half:], two, offsets[half:], data, lengths[half:])
        return
    table = _table(offsets, data, lengths, words * 8)
    found = (lengths.astype(np.uint64) + np.uint64(1)) * _FACTORS[1]
    other = found ^ _FACTORS[2]
    even = bool(count) and int(lengths.min()) > (words - 1) * 8
    for number, word in enumerate(table.view(np.uint64).T if words else ()):
        here = True if even else lengths > number * 8
        np.copyto(found, _mixed(found, word), where=here)
        if checks is not None:
            np.copyto(other, _stirred(other, word), where=here)
    out[:] = found
    if checks is not None:
        checks[:] = other >> _HALF


def _table(offsets: Any, data: Bytes, lengths: Any, width: int) -> Bytes:
    """The bytes of each text in a row of ``width``, zeros behind them."""
    count, length = len(lengths), int(lengths[0]) if len(lengths) else 0
    table = np.zeros((count, width), dtype=np.uint8)
    used = data[offsets[0] : offsets[-1]]
    if length and len(used) == count * length and bool((lengths == length).all()):
        table[:, :length] = used.reshape(count, length)
    else:
        table[np.arange(width) < lengths[:, None]] = used
    return table


def _mixed(found: Hashes, word: Hashes) -> Hashes:
    mixed = (found ^ word) * _FACTORS[0]
    mixed ^= mixed >> _SHIFT
    mixed *= _FACTORS[1]
    mixed ^= mixed >> _HALF
    return mixed


def _stirred(found: Hashes, word: Hashes) -> Hashes:
    """Mixed otherwise, so that texts which agree in one differ in the other."""
    mixed = (found + word) * _FACTORS[2]
    mixed ^= mixed >> _HALF
    mixed *= _FACTORS[3]
    return mixed


class Sorted:
    """Finds numbers that are spread evenly, as hashes are, among sorted ones."""

    def __init__(self, values: Hashes) -> None:
        self.values = values
        bits = min(max(len(values).bit_length() - 1, 1), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        bounds = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._starts = np.searchsorted(values, bounds).astype(np.int32)

    def places(self, wanted: Hashes) -> Ints:
        """Where the first number not below each one wanted stands; the last place if none does.

        There is at least one number.
        """
        last = len(self.values) - 1
        at: Ints = np.minimum(self._starts[wanted >> self._shift], last).astype(np.int64)
        behind = np.flatnonzero(self.values[at] < wanted)
        for _ in range(_STEPS):
            behind = behind[at[behind] < last]
            if not len(behind):
                return at
            at[behind] += 1
            behind = behind[self.values[at[behind]] < wanted[behind]]
        found = np.searchsorted(self.values, wanted[behind])
        at[behind] = np.minimum(found, last)
        return at


class Index:
    """Finds identifiers among distinct known ones by what stands for them (:func:`prints`).

    INVARIANT: a code is answered only for the very same hash and check.
    """

    def __init__(self, ids: pa.Array) -> None:
        self._set(*prints(ids))

    @classmethod
    def of_prints(cls, hashed: Hashes, checks: Checks) -> Index:
        """Of identifiers that were read before, each once."""
        made = cls.__new__(cls)
        made._set(hashed, checks)
        return made

    def _set(self, hashed: Hashes, checks: Checks) -> None:
        self._order: Codes | None = None
        if bool((hashed[1:] < hashed[:-1]).any()):
            self._order = np.argsort(hashed, kind="stable").astype(np.int32)
            hashed, checks = hashed[self._order], checks[self._order]
        self._checks, self._known = checks, Sorted(hashed)

    def __len__(self) -> int:
        return len(self._checks)

    def codes(self, wanted: pa.Array) -> Codes:
        """The position of each identifier, ``NO_CODE`` where it is not known (or null)."""
        out = np.full(len(wanted), NO_CODE, dtype=np.int32)
        if not len(self) or not len(wanted):
            return out
        hashed, checks = prints(wanted)
        values, place = self._known.values, self._known.places(hashed)
        near = np.flatnonzero((values[place] == hashed) & ~np.asarray(wanted.is_null()))
        at = place[near]
        while len(near):
            same = self._checks[at] == checks[near]
            found = at[same]
            out[near[same]] = found if self._order is None else self._order[found]
            near, at = near[~same], at[~same] + 1
            there = at < len(values)
            near, at = near[there], at[there]
            there = values[at] == hashed[near]
            near, at = near[there], at[there]
        return out

    def joined(self, ids: pa.Array) -> Index:
        """With more identifiers, which have the codes after those known; none is known."""
        hashed, checks = prints(ids)
        known, held = self._known.values, self._checks
        if self._order is not None:
            back = np.argsort(self._order)
            known, held = known[back], held[back]
        return Index.of_prints(np.concatenate([known, hashed]), np.concatenate([held, checks]))
