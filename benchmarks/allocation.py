"""Plans for a large docket: time, memory, and what they do to loads and ways.

Run: ``.venv/bin/python -m benchmarks.allocation``.

The docket is made up: seats on a map of 500 × 400 km, most cases at a few courts (Zipf),
assets mostly near the court that has the case, each at a point of its own, and up to eight
courts that may not take the case, different ones for each. So hardly two cases are
interchangeable, which is the hard way for the solver.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from eligibility.courts.allocation import allocate
from eligibility.courts.plan import Movable, Place, Plan, Wishes
from eligibility.courts.rotation import rotate

Point = tuple[float, float]
Planner = Callable[[Iterable[Movable], Iterable[Place], Wishes], Plan]


class Run(NamedTuple):
    name: str
    planner: Planner
    cases: Sequence[Movable]
    places: Sequence[Place]
    wishes: Wishes


def made_up(cases: int, courts: int, seed: int) -> tuple[list[Movable], list[Place]]:
    """A docket and its courts; the same for the same numbers."""
    rng = random.Random(seed)
    seats: list[Point] = [(rng.uniform(0, 500), rng.uniform(0, 400)) for _ in range(courts)]
    names = [f"court-{number:03}" for number in range(courts)]
    busiest = rng.sample(range(courts), courts)
    origins = rng.choices(busiest, [1 / (1 + rank) for rank in range(courts)], k=cases)
    movable = [_case(rng, number, origin, seats) for number, origin in enumerate(origins)]
    counts = Counter(origins)
    places = []
    for number, name in enumerate(names):
        officers = rng.randint(8, 60)
        opened = round(officers * rng.lognormvariate(math.log(130), 0.5))
        room = rng.choice([0, 20, 40, 80, 150, 300, 500])
        places.append(Place(name, max(opened, 2 * counts[number]), officers, room))
    return movable, places


def _case(rng: random.Random, number: int, origin: int, seats: Sequence[Point]) -> Movable:
    nearest = sorted(range(len(seats)), key=lambda court: math.dist(seats[origin], seats[court]))
    x, y = seats[nearest[min(int(rng.expovariate(0.15)), len(seats) - 1)]]
    assets = (x + rng.gauss(0, 12), y + rng.gauss(0, 12))
    barred = {origin, *rng.sample(range(len(seats)), rng.randint(0, min(8, len(seats) - 1)))}
    return Movable(
        f"({2024})执{number:05}号",
        f"court-{origin:03}",
        frozenset(f"court-{c:03}" for c in range(len(seats)) if c not in barred),
        {f"court-{c:03}": round(math.dist(assets, seat), 1) for c, seat in enumerate(seats)},
        must_move=rng.random() < 0.05,
    )


def runs(cases: list[Movable], places: list[Place]) -> list[Run]:
    """Usual plans, and those that are hard for the solver."""
    most = 3 * len(cases) // 10
    required = [replace(c, must_move=number % 5 > 0) for number, c in enumerate(cases)]
    roomy = [replace(place, capacity=len(cases)) for place in places]
    blind = Wishes(distance_weight=0)
    return [
        Run("balance", allocate, cases, places, Wishes()),
        Run(f"balance, at most {most} moves", allocate, cases, places, Wishes(max_moves=most)),
        Run("balance, loads count fivefold", allocate, cases, places, Wishes(spread_weight=5)),
        Run("balance, ways do not count", allocate, cases, places, blind),
        Run("4 of 5 cases must move", allocate, required, places, Wishes()),
        Run("4 of 5 must, ways do not count", allocate, required, places, blind),
        Run("4 of 5 must, capped", allocate, required, places, Wishes(max_moves=most)),
        Run("rotation", rotate, cases, places, Wishes()),
        Run("rotation, courts with room", rotate, cases, roomy, Wishes()),
    ]


def kilometres(cases: Sequence[Movable], plan: Plan) -> tuple[float, float]:
    """The ways from the courts to the main assets of all cases, before and after."""
    targets = {move.case_no: move.court for move in plan.assignments}
    before = sum(case.distances[case.court] or 0 for case in cases)
    after = sum(case.distances[targets.get(case.case_no, case.court)] or 0 for case in cases)
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--courts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    cases, places = made_up(options.cases, options.courts, options.seed)
    print(f"{len(cases)} cases × {len(places)} courts; the docket takes {_peak():.0f} MiB")
    print(
        f"{'plan':31} {'s':>5} {'moves':>6} {'dropped':>8} {'spread (cases/officer)':>23} "
        f"{'km court to assets':>23} {'gap':>4} {'peak MiB':>9}"
    )
    for run in runs(cases, places):
        start = time.perf_counter()
        plan = run.planner(run.cases, run.places, run.wishes)
        seconds = time.perf_counter() - start
        before, after = kilometres(run.cases, plan)
        spread = f"{plan.spread_before:.2f} → {plan.spread_after:.2f}"
        print(
            f"{run.name:31} {seconds:5.1f} {plan.moves:6} {len(plan.dropped):8} {spread:>23} "
            f"{f'{before:,.0f} → {after:,.0f}':>23} {plan.gap:4.0f} {_peak():9.0f}"
        )
    print(f"solver: {plan.solver}, one thread; peak: of the process so far")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
