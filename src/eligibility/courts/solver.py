"""Linear programs in whole numbers, solved by HiGHS.

One thread, no time limit and a fixed order of rows and columns: the same program has the same
answer. Effort is bounded by a number of nodes, never by the clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import frexp

import highspy
import numpy as np
from numpy.typing import NDArray

from eligibility.errors import EngineError, Problem, Text

INFINITY = float("inf")
NEAR = 1e-6  # HiGHS' own tolerance for whole numbers
MOST_NODES = 5_000
SOLVER = ".".join(
    str(part)
    for part in (
        f"HiGHS {highspy.HIGHS_VERSION_MAJOR}",
        highspy.HIGHS_VERSION_MINOR,
        highspy.HIGHS_VERSION_PATCH,
    )
)

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solution:
    """``values`` and ``reduced`` costs by column, ``objective``, and ``gap``: how far at most
    the objective lies above the best in whole numbers (0 = proved best)."""

    values: Vector
    reduced: Vector
    objective: float
    gap: float = 0.0


class _Quiet(highspy.Highs):
    """HiGHS without callbacks: none are needed, and setting them up prints a banner."""

    def enableCallbacks(self) -> None:
        return None


class Program:
    """Columns from 0 to an upper bound, rows between two bounds; the cost is minimised."""

    def __init__(self) -> None:
        self._cost, self._upper, self._coefficient = array("d"), array("d"), array("d")
        self._row_lower, self._row_upper = array("d"), array("d")
        self._index, self._start = array("i"), array("i", [0])
        self._whole = array("b")

    def row(self, lower: float, upper: float) -> int:
        self._row_lower.append(lower)
        self._row_upper.append(upper)
        return len(self._row_lower) - 1

    def column(
        self, cost: float, upper: float, entries: Iterable[tuple[int, int]], *, whole: bool = True
    ) -> int:
        """A column with its row and coefficient pairs; ``whole``: it must be a whole number,
        unless the others being so makes it so."""
        self._cost.append(cost)
        self._upper.append(upper)
        self._whole.append(whole)
        for row, coefficient in entries:
            self._index.append(row)
            self._coefficient.append(coefficient)
        self._start.append(len(self._index))
        return len(self._cost) - 1

    def relaxed(self) -> Solution:
        """The best solution in real numbers, at a vertex. Raises :class:`EngineError`."""
        solver = self._run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise _unsolved(solver)
        found, scale = solver.getSolution(), self._scale()
        return Solution(
            np.asarray(found.col_value, dtype=np.float64),
            np.asarray(found.col_dual, dtype=np.float64) / scale,
            solver.getInfo().objective_function_value / scale,
        )

    def solve(self) -> Solution:
        """The best solution in whole numbers. Raises :class:`EngineError` where there is none.

        Mostly the vertex is whole, and done. Otherwise a column that costs more than ``reach``
        to take off its bound stays there: no solution that moves it lies within ``reach`` of
        the relaxation, so the best one found within reach is the best of all.
        """
        vertex = self.relaxed()
        nearest = np.round(vertex.values)
        whole = np.array(self._whole, dtype=np.bool_)
        if np.all(np.abs(vertex.values - nearest)[whole] <= NEAR):
            return replace(vertex, values=nearest)
        costs, scale = np.abs(vertex.reduced), self._scale()
        reach, farthest = 1.0 / scale, float(costs.max())
        while True:
            solver = self._run(np.where(costs > reach, nearest, np.nan))
            info = solver.getInfo()
            found = info.primal_solution_status == highspy.kSolutionStatusFeasible
            objective = info.objective_function_value / scale if found else INFINITY
            above = objective - vertex.objective
            if found and (above <= reach or reach > farthest):
                # Where presolve alone finds the optimum, HiGHS leaves its dual bound behind.
                optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
                bound = objective if optimal else info.mip_dual_bound / scale
                sure = bound - vertex.objective
                if reach <= farthest:  # some columns were held
                    sure = min(sure, reach)
                gap = above - max(0.0, sure)
                values = np.round(solver.getSolution().col_value)
                proved = gap <= NEAR * max(1.0 / scale, abs(vertex.objective))
                return Solution(values, vertex.reduced, objective, 0.0 if proved else gap)
            if reach > farthest:
                raise _unsolved(solver)
            reach = max(2 * reach, above if found else 10 * reach)

    def _scale(self) -> float:
        """What costs are multiplied with for HiGHS, whose tolerances are fixed numbers: a power
        of two that brings the greatest between 1/2 and 2**20."""
        greatest = max(map(abs, self._cost), default=0.0)
        exponent = frexp(greatest)[1]
        if greatest and exponent < 0:
            return 2.0 ** min(-exponent, 1000)
        return 2.0 ** min(0, 20 - exponent)

    def _run(self, fixed: Vector | None = None) -> highspy.Highs:
        """HiGHS after its run: on the relaxation, or on the program in whole numbers with
        the columns ``fixed`` that are numbers there."""
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(self._cost), len(self._row_lower)
        program.col_cost_ = _vector(self._cost) * self._scale()
        lower, upper = np.zeros(len(self._cost)), _vector(self._upper)
        if fixed is not None:
            held = ~np.isnan(fixed)
            lower, upper = np.where(held, fixed, lower), np.where(held, fixed, upper)
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            program.integrality_ = [kinds[whole] for whole in self._whole]
        program.col_lower_, program.col_upper_ = lower, upper
        program.row_lower_ = _vector(self._row_lower)
        program.row_upper_ = _vector(self._row_upper)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = np.array(self._start, dtype=np.int32)
        program.a_matrix_.index_ = np.array(self._index, dtype=np.int32)
        program.a_matrix_.value_ = _vector(self._coefficient)

        solver = _Quiet()  # type: ignore[no-untyped-call]  # highspy says no types
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("random_seed", 0)
        if fixed is None:
            # Presolve finds next to nothing in a network and takes longer than the simplex.
            solver.setOptionValue("solver", "simplex")
            solver.setOptionValue("presolve", "off")
            # Many cases with equal prices: without this the dual simplex stalls for minutes.
            # HiGHS takes the perturbation out again before it answers.
            solver.setOptionValue("dual_simplex_cost_perturbation_multiplier", 1000.0)
        else:
            solver.setOptionValue("mip_rel_gap", 0.0)
            solver.setOptionValue("mip_max_nodes", MOST_NODES)
        solver.passModel(program)
        solver.run()
        return solver


def _vector(values: array[float]) -> Vector:
    return np.array(values, dtype=np.float64)


def _unsolved(solver: highspy.Highs) -> EngineError:
    status = solver.modelStatusToString(solver.getModelStatus())
    return EngineError(
        Problem(
            "plan_not_found",
            Text(f"求解器未给出方案：{status}", f"the solver gave no plan: {status}"),
        )
    )
