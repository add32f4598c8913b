"""面上调案: what every plan keeps to, and that no other plan is better."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courts.dockets import Docket, best_allocation, check, dockets, shuffled
from eligibility.courts.allocation import allocate
from eligibility.courts.plan import Movable, Place, Plan, PlanError, Wishes


def planned(docket: Docket) -> Plan:
    return allocate(docket.cases, docket.places, docket.wishes)


def large(seed: int, wishes: Wishes, cases: int = 300, courts: int = 15) -> Docket:
    """A docket in which capacities, the cap and many kinds of cases press on each other."""
    rng = Random(seed)
    names = [f"c{number:02}" for number in range(courts)]
    places = [Place(c, rng.randint(300, 900), rng.randint(3, 9), rng.randint(0, 30)) for c in names]
    movable = [
        Movable(
            f"n{number:03}",
            rng.choice(names[:4]),
            frozenset(rng.sample(names, courts - 2)),
            {court: rng.uniform(0, 200) for court in rng.sample(names, courts - 1)},
            rng.random() < 0.2,
            rng.random() < 0.9,
        )
        for number in range(cases)
    ]
    return Docket(tuple(movable), tuple(places), wishes)


@given(dockets(most_cases=8))
def test_every_plan_keeps_to_the_limits(docket: Docket) -> None:
    check(docket, planned(docket))


@given(dockets())
@settings(max_examples=150, deadline=None)
def test_no_other_plan_is_better(docket: Docket) -> None:
    plan = planned(docket)
    dropped, objective = best_allocation(docket)
    assert len(plan.dropped) == dropped, "a case that must move was dropped without need"
    assert plan.objective == pytest.approx(objective, rel=1e-9, abs=1e-6)
    assert plan.gap == 0


@given(dockets(most_cases=8), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(docket: Docket, order: Random) -> None:
    assert planned(shuffled(docket, order)) == planned(docket)


@given(dockets(), st.sampled_from([1e-9, 1e-4, 1e4, 1e11]))
def test_only_the_ratio_of_the_weights_matters(docket: Docket, factor: float) -> None:
    wishes = docket.wishes
    scaled = replace(
        wishes,
        distance_weight=factor * wishes.distance_weight,
        move_weight=factor * wishes.move_weight,
        spread_weight=factor * wishes.spread_weight,
    )
    plan = planned(replace(docket, wishes=scaled))
    assert plan.objective == pytest.approx(factor * planned(docket).objective, abs=1e-6 * factor)


@pytest.mark.parametrize("most", [None, 200, 90, 37, 0])
def test_a_larger_docket(most: int | None) -> None:
    """300 cases of 15 courts: more than 40 of them must move and do not fit under some caps."""
    docket = large(1, Wishes(max_moves=most, spread_weight=5))
    plan = planned(docket)
    check(docket, plan)
    required = sum(case.must_move for case in docket.cases)
    assert required > 40
    assert len(plan.dropped) == (0 if most is None else max(0, required - most))
    assert plan.gap == 0
    assert planned(shuffled(docket, Random(2))) == plan
    if most is None:
        assert plan.spread_after is not None
        assert plan.spread_before is not None
        assert plan.spread_after < plan.spread_before


def test_nothing_is_printed() -> None:
    """HiGHS has a banner, once for a process, and a log; the command line prints JSON there."""
    run = (
        "from courts.test_allocation import *\n"
        "assert planned(large(3, Wishes(max_moves=50))).moves == 50"
    )
    done = subprocess.run(
        [sys.executable, "-c", run], capture_output=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert (done.stdout, done.stderr) == (b"", b"")


# --- by hand -----------------------------------------------------------------------------------

BUSY = Place("busy", 300, 2, 10)  # 150 for each officer
IDLE = Place("idle", 100, 2, 10)  # 50
CASE = Movable("1", "busy", ("idle",), {"idle": 99.0})


def test_a_move_costs_its_way_and_is_worth_the_difference_in_load() -> None:
    """The first case relieves by 149.75 − 50.25 = 99.5 cases per officer."""
    wishes = Wishes(move_weight=0.25)
    assert allocate([CASE], [BUSY, IDLE], wishes).moves == 1
    far = replace(CASE, distances={"idle": 99.3})
    assert allocate([far], [BUSY, IDLE], wishes).moves == 0
    assert allocate([far], [BUSY, IDLE], replace(wishes, spread_weight=1.01)).moves == 1


@pytest.mark.parametrize(("km", "moves"), [(99.2, 1), (99.3, 0)])
def test_a_case_weighs_more_where_there_are_fewer_officers(km: float, moves: int) -> None:
    """Relief by 149.75 − 50.5 = 99.25: the case adds half of itself to the load it meets."""
    small = Place("idle", 50, 1, 10)
    case = replace(CASE, distances={"idle": km})
    assert allocate([case], [BUSY, small], Wishes(move_weight=0)).moves == moves


def test_the_report_before_and_after() -> None:
    plan = allocate([CASE], [IDLE, BUSY], Wishes(move_weight=0))
    assert (plan.spread_before, plan.spread_after) == (50.0, 49.5)
    assert [(x.court, x.open_before, x.open_after) for x in plan.loads] == [
        ("busy", 300, 299),
        ("idle", 100, 101),
    ]
    assert [x.level for x in plan.loads] == [100.0, 100.0]
    assert (plan.moves, plan.total_km) == (1, 99.0)
    assert plan.objective == 99 + 2 * (2 * 49.5**2) / 2
    assert plan.solver.startswith("HiGHS 1.")


def test_a_case_not_counted_weighs_only_where_it_goes() -> None:
    plan = allocate([replace(CASE, counted=False, must_move=True)], [BUSY, IDLE], Wishes())
    assert [x.open_after for x in plan.loads] == [300, 101]
    assert [x.sent for x in plan.loads] == [1, 0]


def test_an_unknown_distance_counts_as_the_longest_known() -> None:
    other = Place("other", 100, 2, 10)
    cases = [
        Movable("1", "busy", ("idle", "other"), {"idle": 40.0}, must_move=True),
        Movable("2", "busy", ("other",), {"other": None, "busy": 60.0}, must_move=True),
    ]
    plan = allocate(cases, [BUSY, IDLE, other], Wishes())
    assert [(a.case_no, a.court, a.distance_km) for a in plan.assignments] == [
        ("1", "idle", 40.0),
        ("2", "other", None),
    ]
    assert plan.unknown_distance == ("2",)
    assert plan.unknown_distance_km == 60.0
    assert plan.total_km == 40.0
    given_by_hand = allocate(cases, [BUSY, IDLE, other], Wishes(unknown_distance_km=1.0))
    assert [a.court for a in given_by_hand.assignments] == ["other", "other"]


@pytest.mark.parametrize(
    "unknown",
    [replace(IDLE, officers=None), replace(IDLE, open_cases=None), replace(IDLE, officers=0)],
)
def test_a_court_that_cannot_be_compared_attracts_nothing(unknown: Place) -> None:
    """It counts as lying at the level of its layer, which here is the load of the giver."""
    plan = allocate([CASE], [BUSY, unknown], Wishes(distance_weight=0))
    assert plan.moves == 0
    assert plan.uncompared == ("idle",)
    required = allocate([replace(CASE, must_move=True)], [BUSY, unknown], Wishes())
    assert required.moves == 1


def test_layers_have_levels_of_their_own() -> None:
    """A higher court with few cases is no reason to call a basic court overloaded."""
    high = Place("high", 10, 10, 10, "intermediate")
    plan = allocate([replace(CASE, allowed=("high",))], [BUSY, high], Wishes(distance_weight=0))
    assert plan.moves == 0
    assert plan.spread_before == 0


@pytest.mark.parametrize(
    ("case", "places", "most", "code"),
    [
        (replace(CASE, allowed=()), [BUSY, IDLE], None, "no_allowed_court"),
        (replace(CASE, allowed=("elsewhere", "busy")), [BUSY, IDLE], None, "no_allowed_court"),
        (CASE, [BUSY, replace(IDLE, capacity=0)], None, "no_capacity"),
        (CASE, [BUSY, replace(IDLE, capacity=None)], None, "no_capacity"),
        (CASE, [BUSY, IDLE], 0, "move_cap"),
    ],
)
def test_why_a_case_is_dropped(
    case: Movable, places: list[Place], most: int | None, code: str
) -> None:
    plan = allocate([replace(case, must_move=True)], places, Wishes(max_moves=most))
    assert [(drop.case_no, drop.court, drop.code) for drop in plan.dropped] == [("1", "busy", code)]
    may_stay = allocate([case], places, Wishes(max_moves=most))
    assert (may_stay.staying, may_stay.dropped) == (("1",), ())


def test_a_case_that_must_move_goes_before_one_that_may() -> None:
    may = replace(CASE, case_no="0", distances={"idle": 0.0})
    must = replace(CASE, case_no="1", distances={"idle": 500.0}, must_move=True)
    plan = allocate([may, must], [BUSY, IDLE], Wishes(max_moves=1))
    assert [(move.case_no, move.required) for move in plan.assignments] == [("1", True)]
    assert plan.staying == ("0",)


def test_a_cap_that_in_real_numbers_would_move_two_halves() -> None:
    """Half of either case would leave both loads as they are; one whole case has to move."""
    there, back = (
        Movable("1", "a", ("b",), {"b": 1}, True),
        Movable("2", "b", ("a",), {"a": 20}, True),
    )
    places = (Place("a", 45, 3, 2), Place("b", 25, 1, 1))
    docket = Docket((there, back), places, Wishes(max_moves=1))
    plan = planned(docket)
    assert (plan.moves, plan.gap) == (1, 0)
    assert (len(plan.dropped), plan.objective) == pytest.approx(best_allocation(docket))


def test_a_capacity_beyond_all_cases_costs_nothing() -> None:
    boundless = replace(IDLE, capacity=10**12)
    assert allocate([CASE], [BUSY, boundless], Wishes(move_weight=0)).moves == 1


def test_an_empty_docket() -> None:
    assert allocate([], [], Wishes()).spread_before is None
    assert allocate([], [BUSY, IDLE], Wishes()).spread_after == 50.0


@pytest.mark.parametrize(
    ("cases", "places", "wishes", "code", "place"),
    [
        ([CASE, CASE], [BUSY, IDLE], Wishes(), "duplicate_case", "cases[1]"),
        ([CASE], [BUSY, IDLE, IDLE], Wishes(), "duplicate_court", "places[idle]"),
        ([CASE], [IDLE], Wishes(), "unknown_court", "cases[1].court"),
        (
            [CASE],
            [replace(BUSY, open_cases=0), IDLE],
            Wishes(),
            "docket_exceeds_load",
            "places[busy].open_cases",
        ),
        (
            [CASE],
            [BUSY, replace(IDLE, capacity=-1)],
            Wishes(),
            "out_of_range",
            "places[idle].capacity",
        ),
        ([CASE], [BUSY, IDLE], Wishes(max_moves=-1), "out_of_range", "max_moves"),
        ([CASE], [BUSY, IDLE], Wishes(spread_weight=nan), "out_of_range", "spread_weight"),
        ([CASE], [BUSY, IDLE], Wishes(distance_weight=inf), "out_of_range", "distance_weight"),
        (
            [replace(CASE, distances={"idle": nan})],
            [BUSY, IDLE],
            Wishes(),
            "out_of_range",
            "cases[1].distances[idle]",
        ),
    ],
)
def test_what_is_refused(
    cases: list[Movable], places: list[Place], wishes: Wishes, code: str, place: str
) -> None:
    with pytest.raises(PlanError) as refused:
        allocate(cases, places, wishes)
    assert [(p.code, p.place) for p in refused.value.problems] == [(code, place)]
