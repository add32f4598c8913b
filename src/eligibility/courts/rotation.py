"""“推磨式”分层交叉: the courts of a layer hand their cases on, each to another (S36).

S36 reports that such a rotation reduced cases closed on paper (终本); it does not say how the
ring is chosen. How it is chosen here is a proposal of this project.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

from eligibility.courts.plan import Dropped, Movable, Place, Plan, Wishes, drop
from eligibility.courts.solver import INFINITY, SOLVER, Program, Solution
from eligibility.courts.task import Task


@dataclass(frozen=True, slots=True)
class Turn:
    """One court's cases handed to another: those that go, those that cannot, and the price."""

    court: str
    to: str
    go: tuple[Movable, ...]
    dropped: tuple[Dropped, ...]
    price: float


def rotate(cases: Iterable[Movable], places: Iterable[Place], wishes: Wishes) -> Plan:
    """The plan that hands the cases of every court to one other court of its layer.

    Within each layer every court (also one without a case in the docket) hands on to one court
    and takes from one, never its own; two courts may exchange. Of all such rings those that
    drop the fewest cases are taken, and of these the one with the lowest objective. In it the
    spread is judged with the dropped cases out of every court, for the decider has to place
    them in another way; ``spread_after`` and the loads of the plan count them where they lie.

    Cases are dropped that the court of the ring may not take, and beyond its capacity those
    with the longest way. A cap on moves cuts the longest ways of the whole plan after the rings
    are chosen, and then nothing says how good the plan is. ``must_move`` plays no part: all
    cases are to move.

    INVARIANT: no court gets its own cases, nor a case that does not allow it.
    INVARIANT: no court gets more than its capacity; there are at most ``max_moves`` moves.

    Raises :class:`~eligibility.courts.plan.PlanError` where the input does not fit together.
    """
    task = Task(cases, places, wishes)
    batches: dict[str, list[Movable]] = defaultdict(list)
    for case in task.cases:
        batches[case.court].append(case)
    turns: list[Turn] = []
    dropped: list[Dropped] = []
    for courts in _layers(task):
        if len(courts) > 1:
            turns += _ring(task, courts, batches)
        else:
            dropped += [drop(case, "alone_in_layer") for case in batches[courts[0]]]
    dropped += [out for turn in turns for out in turn.dropped]
    targets, cut = _within_cap(task, turns)
    dropped += cut
    gone = [out.case_no for out in dropped]
    return task.plan(
        targets,
        dropped,
        objective=task.objective(targets, gone),
        gap=None if cut else 0.0,
        solver=SOLVER,
        ring=tuple(sorted((turn.court, turn.to) for turn in turns)),
    )


def _layers(task: Task) -> list[list[str]]:
    """The courts of each layer that hands on cases."""
    layers: dict[str, list[str]] = defaultdict(list)
    for court, place in task.places.items():
        layers[place.layer].append(court)
    busy = {task.places[case.court].layer for case in task.cases}
    return [layers[layer] for layer in sorted(busy)]


def _ring(task: Task, courts: list[str], batches: Mapping[str, list[Movable]]) -> list[Turn]:
    """The best derangement: fewest dropped first, then the lowest price.

    The best solutions of an assignment problem are those without a column of positive reduced
    cost (whole numbers here, as the costs are); among them the second aim is free to choose.
    """
    turns = [_turn(task, batches, court, to) for court in courts for to in courts if to != court]
    fewest = _permutation(turns, courts, [float(len(turn.dropped)) for turn in turns])
    turns = [turn for turn, cost in zip(turns, fewest.reduced, strict=True) if cost < 0.5]
    best = _permutation(turns, courts, [turn.price for turn in turns])
    return [turn for turn, taken in zip(turns, best.values, strict=True) if taken > 0.5]


def _permutation(turns: list[Turn], courts: list[str], costs: list[float]) -> Solution:
    """Turns such that every court hands on once and takes once: the vertices are whole."""
    program = Program()
    hands_on = {court: program.row(1, 1) for court in courts}
    takes = {court: program.row(1, 1) for court in courts}
    for turn, cost in zip(turns, costs, strict=True):
        program.column(cost, INFINITY, [(hands_on[turn.court], 1), (takes[turn.to], 1)])
    return program.relaxed()


def _turn(task: Task, batches: Mapping[str, list[Movable]], court: str, to: str) -> Turn:
    fit = [case for case in batches.get(court, ()) if to in case.allowed]
    unfit = [case for case in batches.get(court, ()) if to not in case.allowed]
    fit.sort(key=lambda case: _way(case, to))
    go, rest = fit[: task.capacity(to)], fit[task.capacity(to) :]
    prices = [task.price(case, to) for case in go]
    own = sum(case.counted for case in batches.get(to, ()))
    before = task.places[to].open_cases
    if before is not None:
        prices.append(task.load_price(to, before - own + len(go)))
    dropped = [drop(case, "ring_not_allowed", to) for case in unfit]
    dropped += [drop(case, "no_capacity", to) for case in rest]
    return Turn(court, to, tuple(go), tuple(dropped), fsum(prices))


def _within_cap(task: Task, turns: list[Turn]) -> tuple[dict[str, str], list[Dropped]]:
    """The moves of the plan, and what the cap on moves leaves out."""
    moves = [(case, turn.to) for turn in turns for case in turn.go]
    moves.sort(key=lambda move: _way(*move))
    most = len(moves) if task.wishes.max_moves is None else task.wishes.max_moves
    targets = {case.case_no: to for case, to in moves[:most]}
    return targets, [drop(case, "move_cap", to) for case, to in moves[most:]]


def _way(case: Movable, to: str) -> tuple[bool, float, str]:
    """Orders cases by distance, those of unknown distance last, then by number."""
    km = case.distances.get(to)
    return km is None, km or 0.0, case.case_no
