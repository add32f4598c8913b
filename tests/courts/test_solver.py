"""Whole numbers where the vertex has none: against every whole point of small programs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eligibility.courts.solver import INFINITY, Program
from eligibility.errors import EngineError

UPPER = 2


def program(costs: list[float], rows: list[tuple[list[int], int]]) -> Program:
    made = Program()
    numbers = [made.row(-INFINITY, most) for _, most in rows]
    for index, cost in enumerate(costs):
        entries = [(n, row[index]) for n, (row, _) in zip(numbers, rows, strict=True)]
        made.column(cost, UPPER, [(n, c) for n, c in entries if c])
    return made


def test_an_odd_cycle() -> None:
    """Of three columns any two exclude each other: one half each, or one of them."""
    rows = [([1, 1, 0], 1), ([0, 1, 1], 1), ([1, 0, 1], 1)]
    made = program([-1.0, -1.0, -1.0], rows)
    assert made.relaxed().objective == pytest.approx(-1.5)
    best = made.solve()
    assert best.objective == pytest.approx(-1)
    assert sorted(best.values) == [0, 0, 1]
    assert best.gap == 0


@pytest.mark.parametrize("unit", [1e-290, 1e-10, 1e-3, 1.0, 1e6, 1e24])
def test_costs_in_any_unit(unit: float) -> None:
    """The tolerances of HiGHS are fixed numbers; costs of 0.0000000001 are not nothing."""
    rows = [([1, 1, 0, 0], 1), ([0, 1, 1, 0], 1), ([1, 0, 1, 0], 1)]
    made = program([-2 * unit, -3 * unit, -4 * unit, unit], rows)
    vertex, best = made.relaxed(), made.solve()
    assert vertex.objective == pytest.approx(-4.5 * unit, abs=0.001 * unit)
    assert vertex.reduced == pytest.approx([0, 0, 0, unit], abs=0.001 * unit)
    assert best.objective == pytest.approx(-4 * unit, abs=0.001 * unit)
    assert list(best.values) == [0, 0, 1, 0]


@given(
    st.lists(st.floats(-100, 100), min_size=4, max_size=4),
    st.lists(
        st.tuples(st.lists(st.integers(-2, 3), min_size=4, max_size=4), st.integers(0, 6)),
        min_size=1,
        max_size=4,
    ),
)
@example([0, 0, 0, -2.0], [([2, -2, 0, 0], 1), ([-2, 2, 0, 1], 0)])
@settings(max_examples=200)
def test_the_best_whole_point(costs: list[float], rows: list[tuple[list[int], int]]) -> None:
    best = program(costs, rows).solve()
    points = (np.array(p) for p in product(range(UPPER + 1), repeat=4))
    fitting = [p for p in points if all(p @ np.array(row) <= most for row, most in rows)]
    assert best.objective == pytest.approx(min(float(p @ costs) for p in fitting), abs=1e-5)
    assert any(np.array_equal(best.values, p) for p in fitting)
    assert best.gap == 0


def test_a_program_without_a_solution_is_an_error() -> None:
    made = Program()
    row = made.row(3, 3)
    made.column(1.0, 1, [(row, 1)])
    with pytest.raises(EngineError, match="Infeasible"):
        made.solve()
