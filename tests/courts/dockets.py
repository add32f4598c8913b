"""Small dockets, and every plan for them measured from the definitions, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from hypothesis import strategies as st

from eligibility.courts.plan import Movable, Place, Plan, Wishes

Score = tuple[int, float]  # dropped cases, objective
COURTS = ("甲", "乙", "丙", "丁")
WEIGHTS = st.sampled_from([0.0, 0.25, 1.0, 3.0])


@dataclass(frozen=True)
class Docket:
    cases: tuple[Movable, ...]
    places: tuple[Place, ...]
    wishes: Wishes

    def place(self, court: str) -> Place:
        return next(place for place in self.places if place.court == court)


@st.composite
def dockets(draw: st.DrawFn, most_cases: int = 5, layers: Sequence[str] = ("",)) -> Docket:
    """Few cases and courts, with unknown loads, capacities and distances among them."""
    courts = draw(st.lists(st.sampled_from(COURTS), min_size=1, unique=True))
    known = st.integers(0, 4)
    places = tuple(
        Place(
            court,
            draw(st.none() | st.integers(most_cases, 40)),
            draw(st.none() | known),
            draw(st.none() | known),
            draw(st.sampled_from(layers)),
        )
        for court in courts
    )
    kilometres = st.none() | st.sampled_from([0.0, 1.0, 2.5, 30.0]) | st.floats(0, 100)
    cases = tuple(
        Movable(
            f"案{number}",
            draw(st.sampled_from(courts)),
            draw(st.frozensets(st.sampled_from(COURTS))),
            draw(st.dictionaries(st.sampled_from(COURTS), kilometres)),
            draw(st.booleans()),
            draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, most_cases)))
    )
    wishes = Wishes(
        draw(st.none() | known),
        draw(WEIGHTS),
        draw(WEIGHTS),
        draw(WEIGHTS),
        draw(st.none() | st.just(7.0)),
    )
    return Docket(cases, places, wishes)


def check(docket: Docket, plan: Plan) -> None:
    """What holds of every plan: hard filters, capacities, the cap, the books."""
    cases = {case.case_no: case for case in docket.cases}
    for move in plan.assignments:
        case = cases[move.case_no]
        assert move.origin == case.court != move.court
        assert move.court in case.allowed
        assert move.distance_km == case.distances.get(move.court)
    listed = [
        *(move.case_no for move in plan.assignments),
        *plan.staying,
        *(drop.case_no for drop in plan.dropped),
    ]
    assert Counter(listed) == Counter(cases.keys())
    assert all(drop.code and drop.reason.zh and drop.reason.en for drop in plan.dropped)
    most = docket.wishes.max_moves
    assert most is None or plan.moves <= most
    assert [load.court for load in plan.loads] == sorted(p.court for p in docket.places)
    for load in plan.loads:
        into = [move for move in plan.assignments if move.court == load.court]
        out = [move for move in plan.assignments if move.origin == load.court]
        place = docket.place(load.court)
        assert (load.received, load.sent) == (len(into), len(out))
        assert load.received <= (place.capacity or 0)
        assert load.open_before == place.open_cases
        if load.open_before is None:
            assert load.open_after is None
            continue
        less = sum(cases[move.case_no].counted for move in out)
        assert load.open_after == load.open_before + len(into) - less
        if place.officers:
            assert load.per_officer_after == load.open_after / place.officers
        else:
            assert load.per_officer_after is None


def objective(docket: Docket, targets: Mapping[str, str], gone: frozenset[str]) -> float:
    """The objective as :class:`Wishes` and :class:`CourtLoad` define it."""
    wishes = docket.wishes
    known = [km for c in docket.cases for km in c.distances.values() if km is not None]
    stand_in = wishes.unknown_distance_km
    if stand_in is None:
        stand_in = max(known, default=0.0)
    total = 0.0
    for case in docket.cases:
        if case.case_no in targets:
            km = case.distances.get(targets[case.case_no])
            total += wishes.distance_weight * (stand_in if km is None else km)
            total += wishes.move_weight
    for place in docket.places:
        if place.open_cases is None or not place.officers:
            continue
        peers = [p for p in docket.places if p.layer == place.layer and p.officers]
        peers = [p for p in peers if p.open_cases is not None]
        level = sum(p.open_cases or 0 for p in peers) / sum(p.officers or 0 for p in peers)
        after = place.open_cases + sum(to == place.court for to in targets.values())
        for case in docket.cases:
            leaves = case.case_no in targets or case.case_no in gone
            after -= case.court == place.court and case.counted and leaves
        away = after / place.officers - level
        total += wishes.spread_weight * place.officers * away**2 / 2
    return total


def best_allocation(docket: Docket) -> Score:
    """The best of all allocations."""
    return min(_allocations(docket))


def _allocations(docket: Docket) -> Iterator[Score]:
    here = {place.court for place in docket.places}
    choices = [["", *sorted((set(c.allowed) & here) - {c.court})] for c in docket.cases]
    for choice in product(*choices):
        targets = {c.case_no: to for c, to in zip(docket.cases, choice, strict=True) if to}
        if fits(docket, targets):
            kept = sum(c.must_move and c.case_no not in targets for c in docket.cases)
            yield kept, objective(docket, targets, frozenset())


def fits(docket: Docket, targets: Mapping[str, str]) -> bool:
    received = Counter(targets.values())
    most = docket.wishes.max_moves
    return (most is None or len(targets) <= most) and all(
        received[place.court] <= (place.capacity or 0) for place in docket.places
    )


def best_rotation(docket: Docket) -> Score:
    """The best of all rotations; no cap on moves."""
    assert docket.wishes.max_moves is None
    layers: dict[str, list[str]] = {}
    for place in docket.places:
        layers.setdefault(place.layer, []).append(place.court)
    rings = [list(_derangements(courts)) for courts in layers.values()]
    return min(
        _rotated(docket, {k: v for ring in rs for k, v in ring.items()}) for rs in product(*rings)
    )


def _derangements(courts: list[str]) -> list[dict[str, str]]:
    found = [dict(zip(courts, order, strict=True)) for order in permutations(courts)]
    return [ring for ring in found if all(a != b for a, b in ring.items())] or [{}]


def _rotated(docket: Docket, ring: Mapping[str, str]) -> Score:
    targets: dict[str, str] = {}
    for court, to in ring.items():
        fit = [c for c in docket.cases if c.court == court and to in c.allowed]
        fit.sort(key=lambda c: _far(c.distances.get(to)))
        for case in fit[: docket.place(to).capacity or 0]:
            targets[case.case_no] = to
    gone = frozenset(c.case_no for c in docket.cases) - targets.keys()
    return len(gone), objective(docket, targets, gone)


def _far(km: float | None) -> tuple[bool, float]:
    return km is None, km or 0.0


def shuffled(docket: Docket, order: Any) -> Docket:
    """The same docket, given in another order."""
    cases, places = list(docket.cases), list(docket.places)
    order.shuffle(cases)
    order.shuffle(places)
    return Docket(tuple(cases), tuple(places), docket.wishes)
