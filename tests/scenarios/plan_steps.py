"""Steps about plans for many cases: courts with their load, cases, and what the plan does."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.courts.allocation import allocate
from eligibility.courts.plan import Dropped, Movable, Place, Plan, Wishes
from eligibility.courts.rotation import rotate
from scenarios.examination import Table


@dataclass
class Planning:
    """The docket of a scenario and the plan made for it."""

    cases: list[Movable] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    max_moves: int | None = None
    plan: Plan | None = None

    @property
    def made(self) -> Plan:
        assert self.plan is not None, "还没有方案"
        return self.plan

    def make(self, way: str) -> Plan:
        wishes = Wishes(max_moves=self.max_moves)
        maker = rotate if way == "轮转" else allocate
        return maker(self.cases, self.places, wishes)

    def target(self, case_no: str) -> str | None:
        return next((a.court for a in self.made.assignments if a.case_no == case_no), None)

    def dropped(self, case_no: str) -> Dropped:
        found = [entry for entry in self.made.dropped if entry.case_no == case_no]
        assert found, f"{case_no} 没有被列为未调"
        return found[0]


@pytest.fixture
def planning() -> Planning:
    return Planning()


@given("参加调案的法院:")
def courts_taking_part(planning: Planning, datatable: Table) -> None:
    for court, cases, officers, capacity in datatable[1:]:
        known = int(officers) if officers else None
        planning.places.append(Place(court, int(cases), known, int(capacity), "基层"))


@given("待调的案件:")
def cases_to_move(planning: Planning, datatable: Table) -> None:
    for case_no, court, allowed, distances, must in datatable[1:]:
        pairs = (part.split("=") for part in distances.split("、") if part)
        planning.cases.append(
            Movable(
                case_no,
                court,
                tuple(allowed.split("、")) if allowed else (),
                {name: float(km) for name, km in pairs},
                must == "是",
            )
        )


@given(parsers.parse("至多调出{number:d}件"))
def at_most(planning: Planning, number: int) -> None:
    planning.max_moves = number


@when("作均衡调案的方案")
def balance(planning: Planning) -> None:
    planning.plan = planning.make("均衡")


@when("作推磨式轮转的方案")
def turn(planning: Planning) -> None:
    planning.plan = planning.make("轮转")


@then(parsers.parse('方案把"{case_no}"调往"{court}"'))
def moved_to(planning: Planning, case_no: str, court: str) -> None:
    assert planning.target(case_no) == court


@then(parsers.parse('方案不动"{case_no}"'))
def stays(planning: Planning, case_no: str) -> None:
    assert case_no in planning.made.staying


@then(parsers.parse('方案未调"{case_no}"，原因为"{reason}"'))
def dropped_for(planning: Planning, case_no: str, reason: str) -> None:
    assert reason in planning.dropped(case_no).reason.zh


@then(parsers.parse("方案调出{number:d}件"))
def moves(planning: Planning, number: int) -> None:
    assert planning.made.moves == number


@then("方案中没有案件回到原法院")
def nobody_gets_its_own(planning: Planning) -> None:
    assert planning.made.assignments
    assert all(a.court != a.origin for a in planning.made.assignments)


@then("方案中每一法院调入的都不超过可承办数")
def within_capacity(planning: Planning) -> None:
    assert all(load.received <= (load.capacity or 0) for load in planning.made.loads)


@then("方案中每一案件恰好出现一次")
def each_once(planning: Planning) -> None:
    plan = planning.made
    named = [a.case_no for a in plan.assignments] + [d.case_no for d in plan.dropped]
    assert sorted([*named, *plan.staying]) == sorted(case.case_no for case in planning.cases)


@then("方案使人均在办更为接近")
def nearer(planning: Planning) -> None:
    before, after = planning.made.spread_before, planning.made.spread_after
    assert before is not None
    assert after is not None
    assert after < before


@then(parsers.parse('案件与法院以相反的次序给出，"{way}"的方案相同'))
def order_is_nothing(planning: Planning, way: str) -> None:
    before = planning.made
    planning.cases.reverse()
    planning.places.reverse()
    assert planning.make(way) == before
