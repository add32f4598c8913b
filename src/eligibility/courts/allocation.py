"""面上调案: moving many cases at once, so that loads even out without going far (S82, S83).

The sources say that cases are moved in bulk to relieve overloaded courts, “按两便原则”; they do
not say which case goes where. The aims and their weights are proposals of this project.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from eligibility.courts.plan import Dropped, Movable, Place, Plan, Wishes, drop
from eligibility.courts.solver import INFINITY, SOLVER, Program, Vector
from eligibility.courts.task import Task


@dataclass(frozen=True, slots=True)
class Kind:
    """Cases that nothing tells apart: of one court, with the same ``targets`` (courts that can
    take them, in order of id) at the same ``prices``. A plan counts them; which of them move is
    settled by case number."""

    court: str
    must_move: bool
    counted: bool
    targets: tuple[str, ...]
    prices: tuple[float, ...]
    cases: tuple[Movable, ...]

    @property
    def size(self) -> int:
        return len(self.cases)


def allocate(cases: Iterable[Movable], places: Iterable[Place], wishes: Wishes) -> Plan:
    """The plan that moves every case that must move, as far as possible, and of all such plans
    has the lowest objective (see :class:`~eligibility.courts.plan.Wishes`).

    Give only the courts that take part: each of them enters the level of its layer. A case
    that must move and cannot is dropped with the reason; any other case may stay.

    INVARIANT: no case goes to a court that it does not allow, no court gets more than its
    capacity, and there are at most ``max_moves`` moves.
    INVARIANT: the same cases and courts in another order give the same plan.

    Raises :class:`~eligibility.courts.plan.PlanError` where the input does not fit together.
    """
    task = Task(cases, places, wishes)
    kinds = _kinds(task)
    targets, gap = _best(task, kinds, _fewest_dropped(task, kinds)) if kinds else ({}, 0.0)
    return task.plan(
        targets,
        _dropped(task, targets),
        objective=task.objective(targets),
        gap=gap,
        solver=SOLVER,
    )


def _kinds(task: Task) -> list[Kind]:
    """The kinds that some court can take, in order of their first case."""
    found: dict[tuple[str, bool, bool, tuple[str, ...], tuple[float, ...]], list[Movable]]
    found = defaultdict(list)
    for case in task.cases:
        targets = tuple(court for court in task.targets(case) if task.capacity(court))
        prices = tuple(task.price(case, court) for court in targets)
        if targets:
            found[case.court, case.must_move, case.counted, targets, prices].append(case)
    return [Kind(*key, tuple(cases)) for key, cases in found.items()]


def _fewest_dropped(task: Task, kinds: list[Kind]) -> int:
    """How many cases that must move find no room, at best."""
    if not any(kind.must_move for kind in kinds):
        return 0
    program = Program()
    moves = program.row(-INFINITY, _cap(task))
    room = {court: program.row(-INFINITY, task.capacity(court)) for court in task.places}
    for kind in kinds:
        if not kind.must_move:
            continue
        row = program.row(kind.size, kind.size)
        program.column(1.0, kind.size, [(row, 1)])
        for court in kind.targets:
            program.column(0.0, kind.size, [(row, 1), (room[court], 1), (moves, 1)])
    return round(program.relaxed().objective)


def _best(task: Task, kinds: list[Kind], most_dropped: int) -> tuple[dict[str, str], float]:
    """Case numbers with the courts that they go to, and the gap.

    A network: cases flow from their kind to a court, or stay in their own, and from there
    through one arc for every open case, each dearer than the one before. Only the cap on moves
    and the number of dropped cases stand beside it, so the vertex is nearly always whole.
    """
    program = Program()
    moves = program.row(-INFINITY, _cap(task))
    dropped = program.row(-INFINITY, most_dropped)
    given = {court: program.row(0, 0) for court in task.places}
    room = _room(task, kinds)
    load = _loads(program, task, kinds, room)
    for court in task.places:
        entries = [(given[court], -1), (moves, 1), *load.get(court, [])]
        program.column(0.0, room[court], entries, whole=False)
    first: list[int] = []
    for kind in kinds:
        row = program.row(kind.size, kind.size)
        stays = [(row, 1), *(load.get(kind.court, []) if kind.counted else [])]
        if not kind.must_move:
            program.column(0.0, kind.size, stays)
        elif most_dropped:
            program.column(0.0, kind.size, [(dropped, 1), *stays])
        columns = [
            program.column(price, kind.size, [(row, 1), (given[court], 1)])
            for court, price in zip(kind.targets, kind.prices, strict=True)
        ]
        first.append(columns[0])
    solution = program.solve()
    return dict(_spelled_out(kinds, first, solution.values)), solution.gap


def _cap(task: Task) -> float:
    most = task.wishes.max_moves
    return INFINITY if most is None else most


def _room(task: Task, kinds: list[Kind]) -> dict[str, int]:
    """How many cases each court may be given, and could be."""
    wanting = Counter[str]()
    for kind in kinds:
        for court in kind.targets:
            wanting[court] += kind.size
    return {court: min(task.capacity(court), wanting[court]) for court in task.places}


def _loads(
    program: Program, task: Task, kinds: list[Kind], room: Mapping[str, int]
) -> dict[str, list[tuple[int, int]]]:
    """The entry that a case adds to the load of each court whose load is compared."""
    leaving = Counter[str]()
    for kind in kinds:
        if kind.counted:
            leaving[kind.court] += kind.size
    load: dict[str, list[tuple[int, int]]] = {}
    for court, place in task.places.items():
        if not task.compared(court) or not task.wishes.spread_weight:
            continue
        assert place.open_cases is not None
        row = program.row(0, 0)
        load[court] = [(row, 1)]
        least = place.open_cases - leaving[court]
        for open_cases in range(least, place.open_cases + room[court]):
            price = task.next_case_price(court, open_cases)
            program.column(price, 1, [(row, -1)], whole=False)
    return load


def _spelled_out(kinds: list[Kind], first: list[int], taken: Vector) -> Iterator[tuple[str, str]]:
    """Case numbers and courts: of each kind the first cases move, in order of court."""
    for kind, column in zip(kinds, first, strict=True):
        cases = iter(kind.cases)
        counts = taken[column : column + len(kind.targets)]
        for court, count in zip(kind.targets, counts, strict=True):
            for case in islice(cases, round(count)):
                yield case.case_no, court


def _dropped(task: Task, targets: Mapping[str, str]) -> Iterator[Dropped]:
    received = Counter(targets.values())
    for case in task.cases:
        if not case.must_move or case.case_no in targets:
            continue
        allowed = task.targets(case)
        if not allowed:
            yield drop(case, "no_allowed_court")
        elif all(received[court] >= task.capacity(court) for court in allowed):
            yield drop(case, "no_capacity")
        else:
            yield drop(case, "move_cap")
