"""Distinct values, bits of words and lists of distinct kinds: what answers are put together of."""

from __future__ import annotations

import numpy as np
import pytest

from eligibility.docket import residuals
from eligibility.docket.answers import packed, positions, spread, whole
from eligibility.docket.columns import numbered


@pytest.mark.parametrize(("low", "high"), [(0, 50), (-50, 50), (-(2**62), 2**62), (0, 1)])
def test_numbers_are_those_of_sorted_distinct_values(low: int, high: int) -> None:
    values = np.random.default_rng(4).integers(low, high, 500)
    distinct, which = numbered(values)
    assert distinct.tolist() == sorted(set(values.tolist()))
    assert np.array_equal(distinct[which], values)


@pytest.mark.parametrize("lines", [1, 40, 64, 65, 150])
def test_bits_are_found_where_they_stand(lines: int) -> None:
    bits = np.random.default_rng(lines).random((lines, 90)) < 0.2
    words = packed(bits)
    rows, numbers = positions(words)
    expected = np.nonzero(bits.T)
    assert np.array_equal(rows, expected[0])
    assert np.array_equal(numbers, expected[1])
    mask = sum(1 << int(line) for line in np.flatnonzero(bits[:, 3]))
    assert np.array_equal(np.array(whole(mask, words.shape[1])), words[3])


def test_lists_are_repeated_in_the_order_of_their_rows() -> None:
    rows, items = spread([[3, 1], [], [2]], np.array([2, 0, 1, 0]))
    assert rows.tolist() == [0, 1, 1, 3, 3]
    assert items.tolist() == [2, 3, 1, 3, 1]


def test_rows_whose_sums_are_alike_are_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = np.array([[1, 2], [2, 1], [1, 2], [0, 3]], dtype=np.int64)
    for factors in (residuals._FACTORS, np.ones(128, dtype=np.uint64)):
        monkeypatch.setattr(residuals, "_FACTORS", factors)
        first, which = residuals._alike(shapes)
        assert np.array_equal(shapes[first[which]], shapes)
        assert len(first) == 3
