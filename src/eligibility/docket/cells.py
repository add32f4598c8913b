"""The cells of one Arrow column as a column of one fact.

What a cell means is said by ``from_wire`` alone: it is asked once for each distinct cell, and
numbers go through arithmetic that is exact where it accepts and refuses where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.docket.columns import KNOWN, NEVER, UNKNOWN, Bits, Column, Ints, States, numbered
from eligibility.vocabulary.model import NONE, Fact, Type
from eligibility.vocabulary.values import MAX_NUMBER, MAX_TEXT, Unfit, from_wire

MEANINGS_KEPT = 100_000
SET_BITS = 61
LARGEST_AMOUNT = 10**13  # yuan that a float holds to the fen
_THOUSANDTHS = 1000
_MISFIT = 3  # beside the states of a column
_LARGEST = 2**60
_SAID = ("", "…")
"""What stands for blank texts, and for all others."""
_STRINGS = (pa.string(), pa.large_string())
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
Wire = Callable[[Fact, Any], Any]
Read = tuple[Column, Bits]  # the column, and the cells that do not fit


def nothing(rows: int) -> Column:
    """A column of which nothing is known."""
    return Column(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.uint8))


def present(array: pa.Array) -> Bits:
    """Which cells are not null."""
    held = array.buffers()[0] if array.null_count else None
    if held is None:
        return np.ones(len(array), dtype=bool)
    return _bits(held, array.offset, len(array))


def _bits(buffer: pa.Buffer, offset: int, rows: int) -> Bits:
    begin = offset // 8
    packed = np.frombuffer(buffer, dtype=np.uint8)[begin : (offset + rows + 7) // 8]
    bits = np.unpackbits(packed, bitorder="little")[offset - begin * 8 :][:rows]
    return bits.view(bool)


def ordinal_or_number(fact: Fact, value: Any) -> int | None:
    """The number that a column holds for a typed value that is no word; None if it cannot."""
    if isinstance(value, bool):
        return int(value)
    if fact.type is Type.DATE:
        return int(value.toordinal())
    scaled = value * (_THOUSANDTHS if fact.type is Type.DECIMAL else 1)
    return int(scaled) if scaled == int(scaled) else None


class Cells:
    """Reads the cells of one fact. ``wire``: what a cell means, as :func:`from_wire`.
    ``checked_only``: of a text only the fit and whether it is blank are found out.

    INVARIANT: a cell that fits has the value of ``wire``; one for which that raises, and one
    that a column cannot hold exactly, does not fit.
    """

    def __init__(self, fact: Fact, wire: Wire = from_wire, checked_only: bool = False) -> None:
        self.fact, self.wire = fact, wire
        self.worded = fact.many or fact.type in (Type.ENUM, Type.SET, Type.TEXT)
        self.listed = fact.many or fact.type is Type.SET
        self.checked_only = checked_only and fact.type is Type.TEXT and not fact.many
        self._words: dict[Any, int] = {}
        self._known: dict[str, dict[Any, int]] = {}  # by type of cell; number and state packed

    def forget_many(self) -> None:
        """Let go of what was remembered once it is much: between batches, never within one."""
        known = max(map(len, self._known.values()), default=0)
        if max(known, len(self._words)) > MEANINGS_KEPT:
            self._known.clear()
            self._words.clear()

    def read(self, array: pa.Array) -> Read:
        """The column of an array of any type."""
        if array.null_count == len(array):
            return nothing(len(array)), np.zeros(len(array), dtype=bool)
        kind = array.type
        if self.listed and pa.types.is_list(kind):
            return self._lists(array)
        if self.checked_only and kind in _STRINGS:
            return self._checked(array)
        if self.fact.type is Type.BOOL and kind == pa.bool_():
            known = present(array)
            values = _bits(array.buffers()[1], array.offset, len(array)) & known
            return Column(values.astype(np.int64), known.view(np.uint8)), _none(len(array))
        if self.fact.type in (Type.INT, Type.MONEY, Type.DECIMAL):
            if kind in _INTEGERS:
                return self._integers(array)
            if kind == pa.float64():
                return self._floats(array)
        return self._distinct(array)

    def _checked(self, array: pa.Array) -> Read:
        """Texts whose words nobody asks for: whether they fit, and whether they are blank."""
        array.validate(full=True)
        size = pc.fill_null(pc.binary_length(array), 0).to_numpy(zero_copy_only=False)
        space = pc.fill_null(pc.utf8_is_space(array), True).to_numpy(zero_copy_only=False)
        said = (size > 0) & ~space
        return Column(said.astype(np.int64), present(array).view(np.uint8), _SAID), size > MAX_TEXT

    # --- numbers -----------------------------------------------------------------------------

    def _integers(self, array: pa.Array) -> Read:
        known = present(array)
        values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        scale = {Type.MONEY: 100, Type.DECIMAL: _THOUSANDTHS}.get(self.fact.type, 1)
        bad = self._outside(values)
        values = np.where(bad, 0, values)
        return Column(values * scale, known.view(np.uint8)), bad & known

    def _floats(self, array: pa.Array) -> Read:
        """Floats are read as they are written: 0.1 is a tenth. Within the largest amount the
        shortest writing of a float has no more digits than asked for iff dividing gives it back.
        """
        known = present(array)
        values = array.fill_null(0.0).to_numpy(zero_copy_only=False)
        scale = {Type.MONEY: 100, Type.DECIMAL: _THOUSANDTHS}.get(self.fact.type, 1)
        within = np.abs(values) <= LARGEST_AMOUNT * 100 / scale
        scaled = np.rint(np.where(within, values, 0.0) * scale)
        bad = ~within | (scaled / scale != values) | self._outside(values)
        out = np.where(bad, 0, scaled).astype(np.int64)
        return Column(out, known.view(np.uint8)), bad & known

    def _outside(self, values: Any) -> Bits:
        low = self.fact.minimum if self.fact.minimum is not None else -MAX_NUMBER
        high = self.fact.maximum if self.fact.maximum is not None else MAX_NUMBER
        out: Bits = (values < low) | (values > high)
        return out

    # --- distinct cells ----------------------------------------------------------------------

    def _distinct(self, array: pa.Array) -> Read:
        if not pa.types.is_dictionary(array.type):
            try:
                array = array.dictionary_encode()
            except pa.ArrowException:
                return nothing(len(array)), present(array)
        values, state, bad = self._meanings(array.dictionary)
        indices = array.indices
        if indices.null_count:
            indices = indices.fill_null(len(array.dictionary))
        at = indices.to_numpy(zero_copy_only=False).astype(np.intp)
        misfits = bad.take(at) if bad.any() else _none(len(at))
        return Column(values.take(at), state.take(at), tuple(self._words)), misfits

    def _meanings(self, distinct: pa.Array) -> tuple[Ints, States, Bits]:
        """What each distinct cell means, one more for null: a number, its state, a misfit."""
        known = self._known.setdefault(str(distinct.type), {})
        cells = distinct.to_pylist()
        try:
            for cell in set(cells).difference(known):
                known[cell] = self._packed(cell)
            found = [*map(known.__getitem__, cells), UNKNOWN]
        except TypeError:  # cells that are lists or structs
            found = [*map(self._packed, cells), UNKNOWN]
        table = np.array(found, dtype=np.int64)
        state = (table & 3).astype(np.uint8)
        bad = state == _MISFIT
        state[bad] = UNKNOWN
        return table >> 2, state, bad

    def _packed(self, cell: Any) -> int:
        value, state = self._worked_out(cell)
        return value << 2 | state

    def _worked_out(self, cell: Any) -> tuple[int, int]:
        try:
            value = self.wire(self.fact, cell)
        except (Unfit, TypeError, ValueError, ArithmeticError):
            return 0, _MISFIT
        if value is None:
            return 0, UNKNOWN
        if value is NONE:
            return 0, NEVER
        if self.worded:
            return self._words.setdefault(value, len(self._words)), KNOWN
        number = ordinal_or_number(self.fact, value)
        if number is None or abs(number) > _LARGEST:
            return 0, _MISFIT
        return number, KNOWN

    # --- lists -------------------------------------------------------------------------------

    def _lists(self, array: pa.Array) -> Read:
        """Lists of words: each distinct word is asked for alone, lists are joined from them."""
        rows, known = len(array), present(array)
        offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        flat = array.values.slice(offsets[0], offsets[-1] - offsets[0])
        offsets = offsets - offsets[0]
        if not pa.types.is_dictionary(flat.type):
            flat = flat.dictionary_encode()
        words, bad_word = self._parts(flat.dictionary)
        at = flat.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
        counts = np.diff(offsets)
        owners = np.repeat(np.arange(rows), counts)
        bad = _none(rows)
        bad[owners[np.append(bad_word, True)[at]]] = True
        joined = self._masks if len(words) <= SET_BITS else self._joined
        values = joined(words, at, offsets)
        return Column(np.where(known, values, 0), known.view(np.uint8), tuple(self._words)), bad

    def _parts(self, distinct: pa.Array) -> tuple[list[str], Bits]:
        """The word that each distinct element stands for, and whether it is one."""
        words, bad = [], []
        for cell in distinct.to_pylist():
            try:
                (word,) = self.wire(self.fact, [cell])
            except (Unfit, TypeError, ValueError):
                word = ""
                bad.append(True)
            else:
                bad.append(False)
            words.append(word)
        return words, np.array(bad, dtype=bool)

    def _positions(self, held: list[frozenset[str]]) -> Ints:
        found = [self._words.setdefault(one, len(self._words)) for one in held]
        return np.array(found, dtype=np.int64)

    def _masks(self, words: list[str], at: Ints, offsets: Ints) -> Ints:
        """Lists of few different words: a bit for each word, joined to masks."""
        bits = np.left_shift(1, np.append(np.arange(len(words)), SET_BITS)[at], dtype=np.int64)
        held = np.zeros(len(offsets) - 1, dtype=np.int64)
        full = np.diff(offsets) > 0
        if full.any():
            held[full] = np.bitwise_or.reduceat(bits, offsets[:-1][full])
        distinct, which = numbered(held)
        found = [frozenset(w for i, w in enumerate(words) if m >> i & 1) for m in distinct.tolist()]
        return self._positions(found)[which]

    def _joined(self, words: list[str], at: Ints, offsets: Ints) -> Ints:
        """Lists of many different words: those of several words one by one."""
        named = [*words, ""]
        counts = np.diff(offsets)
        out = np.full(len(counts), self._positions([frozenset()])[0])
        singles = self._positions([frozenset([word]) for word in named])
        out[counts == 1] = singles[at[offsets[:-1][counts == 1]]]
        several = np.flatnonzero(counts > 1)
        bounds = zip(offsets[several].tolist(), offsets[several + 1].tolist(), strict=True)
        held = [frozenset(named[i] for i in at[begin:end]) for begin, end in bounds]
        out[several] = self._positions(held)
        return out


def _none(rows: int) -> Bits:
    return np.zeros(rows, dtype=bool)
