"""“推磨式”分层交叉: no court gets its own cases back, and no other ring is better."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courts.dockets import Docket, best_rotation, check, dockets, shuffled
from eligibility.courts.plan import Movable, Place, Plan, PlanError, Wishes
from eligibility.courts.rotation import rotate

LAYERS = ("基层", "中级")


def planned(docket: Docket) -> Plan:
    return rotate(docket.cases, docket.places, docket.wishes)


@given(dockets(most_cases=8, layers=LAYERS))
def test_every_rotation_keeps_to_the_limits(docket: Docket) -> None:
    plan = planned(docket)
    check(docket, plan)
    assert plan.staying == ()
    ring = dict(plan.ring)
    assert len(ring) == len(plan.ring)
    assert sorted(ring) == sorted(ring.values())
    for court, to in ring.items():
        assert court != to
        assert docket.place(court).layer == docket.place(to).layer
    for move in plan.assignments:
        assert ring[move.origin] == move.court
    for drop in plan.dropped:
        assert drop.ring == ring.get(drop.court)


@given(dockets(most_cases=6, layers=LAYERS))
@settings(max_examples=150, deadline=None)
def test_no_other_ring_is_better(docket: Docket) -> None:
    docket = replace(docket, wishes=replace(docket.wishes, max_moves=None))
    plan = planned(docket)
    dropped, objective = best_rotation(docket)
    assert len(plan.dropped) == dropped
    assert plan.objective == pytest.approx(objective, rel=1e-9, abs=1e-6)
    assert plan.gap == 0


@given(dockets(most_cases=8, layers=LAYERS), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(docket: Docket, order: Random) -> None:
    assert planned(shuffled(docket, order)) == planned(docket)


# --- by hand -----------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
PLACES = [Place(name, 100, 1, 5) for name in NAMES]


def handed(case_no: str, court: str, **distances: float) -> Movable:
    return Movable(case_no, court, frozenset(NAMES) - {court}, distances)


def test_the_ring_with_the_shortest_ways() -> None:
    cases = [
        handed("1", "a", b=90, c=10),
        handed("2", "b", c=90, a=10),
        handed("3", "c", a=90, b=10),
    ]
    plan = rotate(cases, PLACES, Wishes())
    assert plan.ring == (("a", "c"), ("b", "a"), ("c", "b"))
    assert plan.total_km == 30


def test_the_ring_that_evens_out_the_load() -> None:
    """The court with most officers and least load takes the largest batch."""
    places = [Place("a", 100, 1, 50), Place("b", 100, 1, 50), Place("c", 0, 5, 50)]
    cases = [handed(f"a{n}", "a") for n in range(9)] + [handed(f"b{n}", "b") for n in range(3)]
    plan = rotate(cases, places, Wishes())
    assert dict(plan.ring)["a"] == "c"


def test_a_court_takes_after_it_has_given() -> None:
    """a has nothing left and can take 20; with the load that it had it would look full."""
    places = [Place("a", 40, 1, 50), Place("b", 100, 4, 50), Place("c", 0, 1, 50)]
    cases = [handed(f"a{n}", "a") for n in range(40)] + [handed(f"b{n}", "b") for n in range(20)]
    plan = rotate(cases, places, Wishes())
    assert plan.ring == (("a", "c"), ("b", "a"), ("c", "b"))
    assert [x.per_officer_after for x in plan.loads] == [20, 20, 40]


def test_fewest_dropped_comes_before_the_shortest_way() -> None:
    cases = [replace(handed("1", "a", b=1, c=500), allowed=frozenset("c")), handed("2", "b")]
    plan = rotate(cases, PLACES, Wishes())
    assert dict(plan.ring)["a"] == "c"
    assert plan.dropped == ()


def test_why_cases_are_dropped() -> None:
    places = [Place("a", 100, 1, 5), Place("b", 100, 1, 2), Place("alone", 100, 1, 5, "other")]
    cases = [
        handed("1", "a", b=30),
        handed("2", "a", b=10),
        handed("3", "a"),
        handed("4", "a", b=20),
        replace(handed("5", "a"), allowed=frozenset("c")),
        handed("6", "alone"),
    ]
    plan = rotate(cases, places, Wishes())
    assert [move.case_no for move in plan.assignments] == ["2", "4"]
    assert [(drop.case_no, drop.code, drop.ring) for drop in plan.dropped] == [
        ("1", "no_capacity", "b"),
        ("3", "no_capacity", "b"),
        ("5", "ring_not_allowed", "b"),
        ("6", "alone_in_layer", None),
    ]
    assert [x.open_after for x in plan.loads] == [98, 100, 102]


def test_a_cap_cuts_the_longest_ways() -> None:
    cases = [handed("1", "a", b=5, c=5), handed("2", "b", a=9, c=9), handed("3", "c", a=7, b=7)]
    plan = rotate(cases, PLACES, Wishes(max_moves=2))
    assert [move.case_no for move in plan.assignments] == ["1", "3"]
    assert [(drop.case_no, drop.code) for drop in plan.dropped] == [("2", "move_cap")]
    assert plan.gap is None


def test_an_empty_docket() -> None:
    assert rotate([], [], Wishes()).ring == ()
    assert rotate([], PLACES, Wishes()).ring == ()


def test_a_misfit_is_refused() -> None:
    with pytest.raises(PlanError):
        rotate([handed("1", "elsewhere")], PLACES, Wishes())
