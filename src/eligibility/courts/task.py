"""A checked docket with its courts: what every plan starts from and is measured by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import fsum, sqrt

from eligibility.courts.plan import (
    Assignment,
    CourtLoad,
    Dropped,
    Movable,
    Place,
    Plan,
    PlanError,
    Wishes,
)
from eligibility.errors import Problem, Text

MOST = 1e12  # of any number of a docket or a wish


class Task:
    """A checked docket: cases by number, places by court id, so that no order of input counts.

    Raises :class:`PlanError` with all that is wrong.
    """

    def __init__(self, cases: Iterable[Movable], places: Iterable[Place], wishes: Wishes) -> None:
        self.cases = sorted(cases, key=lambda case: case.case_no)
        listed = sorted(places, key=lambda place: place.court)
        self.places = {place.court: place for place in listed}
        self.wishes = wishes
        problems = [*_misfits(self, listed), *_bad_numbers(self)]
        if problems:
            raise PlanError(problems)
        self.unknown_km = self._unknown_km()
        self.levels = self._levels()

    def _unknown_km(self) -> float:
        given = self.wishes.unknown_distance_km
        if given is not None:
            return given
        known = (km for case in self.cases for km in case.distances.values() if km is not None)
        return max(known, default=0.0)

    def _levels(self) -> dict[str, float]:
        """Open cases per officer of each layer in which some load can be compared."""
        opened, officers = Counter[str](), Counter[str]()
        for place in self.places.values():
            if place.open_cases is not None and place.officers:
                opened[place.layer] += place.open_cases
                officers[place.layer] += place.officers
        return {layer: opened[layer] / officers[layer] for layer in officers}

    def capacity(self, court: str) -> int:
        """How many cases the court is given at most."""
        return self.places[court].capacity or 0

    def targets(self, case: Movable) -> list[str]:
        """The courts that take part and may take the case, in order of id."""
        return sorted({c for c in case.allowed if c in self.places and c != case.court})

    def price(self, case: Movable, court: str) -> float:
        """What the objective pays for moving a case, the spread of load apart."""
        km = case.distances.get(court)
        reckoned = self.unknown_km if km is None else km
        return self.wishes.distance_weight * reckoned + self.wishes.move_weight

    def load_price(self, court: str, open_cases: int) -> float:
        """What the objective pays for a court with this many open cases.

        Half the squared distance from the level, times the officers: moving one case between
        two courts of a layer changes the sum by the difference of their cases per officer.
        """
        return self.wishes.spread_weight * self._deviation(court, open_cases) / 2

    def next_case_price(self, court: str, open_cases: int) -> float:
        """What one more open case adds to :meth:`load_price`, of a court that is compared."""
        place = self.places[court]
        assert place.officers
        step = (open_cases + 0.5) / place.officers - self.levels[place.layer]
        return self.wishes.spread_weight * step

    def compared(self, court: str) -> bool:
        """Whether the load of a court enters the spread."""
        return self.places[court].open_cases is not None and bool(self.places[court].officers)

    def _deviation(self, court: str, open_cases: int) -> float:
        """Squared distance from the level, times the officers; 0 where it is not compared."""
        place = self.places[court]
        if not self.compared(court) or not place.officers:
            return 0.0
        away = open_cases / place.officers - self.levels[place.layer]
        return place.officers * away * away

    def spread(self, open_cases: Mapping[str, int | None]) -> float | None:
        """Standard deviation of the loads that can be compared, in cases per officer."""
        known = {c: n for c, n in open_cases.items() if n is not None and self.compared(c)}
        officers = sum(self.places[court].officers or 0 for court in known)
        if not officers:
            return None
        return sqrt(fsum(self._deviation(c, n) for c, n in known.items()) / officers)

    def open_after(
        self, targets: Mapping[str, str], gone: Iterable[str] = ()
    ) -> dict[str, int | None]:
        """Open cases of every court when cases go to their targets; ``gone``: cases that are
        taken out of their court without going to another."""
        gone = frozenset(gone)
        change = Counter(targets.values())
        for case in self.cases:
            if case.counted and (case.case_no in targets or case.case_no in gone):
                change[case.court] -= 1
        return {
            court: None if place.open_cases is None else place.open_cases + change[court]
            for court, place in self.places.items()
        }

    def objective(self, targets: Mapping[str, str], gone: Iterable[str] = ()) -> float:
        """The value that a plan minimises, see :class:`Wishes`."""
        prices = [
            self.price(case, targets[case.case_no])
            for case in self.cases
            if case.case_no in targets
        ]
        after = self.open_after(targets, gone)
        return fsum([*prices, *(self.load_price(c, n) for c, n in after.items() if n is not None)])

    def plan(
        self,
        targets: Mapping[str, str],
        dropped: Iterable[Dropped],
        *,
        objective: float,
        gap: float | None,
        solver: str,
        ring: tuple[tuple[str, str], ...] = (),
    ) -> Plan:
        """The plan that sends these cases (by number) to these courts."""
        out = {drop.case_no: drop for drop in dropped}
        assignments = tuple(
            Assignment(
                case.case_no,
                case.court,
                targets[case.case_no],
                case.distances.get(targets[case.case_no]),
                case.must_move,
            )
            for case in self.cases
            if case.case_no in targets
        )
        rest = (c.case_no for c in self.cases if c.case_no not in targets)
        return Plan(
            assignments=assignments,
            staying=tuple(case_no for case_no in rest if case_no not in out),
            dropped=tuple(out[case_no] for case_no in sorted(out)),
            loads=tuple(self._loads(targets)),
            total_km=fsum(a.distance_km for a in assignments if a.distance_km is not None),
            unknown_distance=tuple(a.case_no for a in assignments if a.distance_km is None),
            unknown_distance_km=self.unknown_km,
            spread_before=self.spread(self.open_after({})),
            spread_after=self.spread(self.open_after(targets)),
            objective=objective,
            gap=gap,
            solver=solver,
            ring=ring,
        )

    def _loads(self, targets: Mapping[str, str]) -> Iterator[CourtLoad]:
        received = Counter(targets.values())
        sent = Counter(case.court for case in self.cases if case.case_no in targets)
        after = self.open_after(targets)
        for court, place in self.places.items():
            compared = self.compared(court) and place.officers
            yield CourtLoad(
                court=court,
                layer=place.layer,
                capacity=place.capacity,
                received=received[court],
                sent=sent[court],
                open_before=place.open_cases,
                open_after=after[court],
                per_officer_before=(place.open_cases or 0) / compared if compared else None,
                per_officer_after=(after[court] or 0) / compared if compared else None,
                level=self.levels.get(place.layer),
            )


# --- what is refused ---------------------------------------------------------------------------


def _misfits(task: Task, listed: list[Place]) -> Iterator[Problem]:
    for court in _twice(place.court for place in listed):
        yield Problem(
            "duplicate_court",
            Text(f"法院“{court}”给出了两次", f"court {court!r} is given twice"),
            f"places[{court}]",
        )
    for case_no in _twice(case.case_no for case in task.cases):
        yield Problem(
            "duplicate_case",
            Text(f"案件“{case_no}”出现了两次", f"case {case_no!r} stands in the docket twice"),
            f"cases[{case_no}]",
        )
    first = {case.court: case.case_no for case in reversed(task.cases)}
    for court in sorted(first.keys() - task.places.keys()):
        yield Problem(
            "unknown_court",
            Text(
                f"案件所在的法院“{court}”不在参加调案的法院之内",
                f"the court of the case, {court!r}, is not among those that take part",
            ),
            f"cases[{first[court]}].court",
        )
    counted = Counter(case.court for case in task.cases if case.counted)
    for court, place in task.places.items():
        if place.open_cases is not None and place.open_cases < counted[court]:
            yield Problem(
                "docket_exceeds_load",
                Text(
                    f"名录所载在办{place.open_cases}件，案件表中该院在办案件却有{counted[court]}件",
                    f"the register has {place.open_cases} open cases, the docket "
                    f"{counted[court]} of them",
                ),
                f"places[{court}].open_cases",
                hint=Text(
                    "更新名录的在办案件数；不计入在办的（如终本）案件请标明",
                    "bring the register up to date; mark cases that are not counted as open "
                    "(such as 终本)",
                ),
            )


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _bad_numbers(task: Task) -> Iterator[Problem]:
    wishes = task.wishes
    numbers: list[tuple[str, float | None]] = [
        ("max_moves", wishes.max_moves),
        ("distance_weight", wishes.distance_weight),
        ("move_weight", wishes.move_weight),
        ("spread_weight", wishes.spread_weight),
        ("unknown_distance_km", wishes.unknown_distance_km),
    ]
    for place in task.places.values():
        name = f"places[{place.court}]"
        numbers += [
            (f"{name}.open_cases", place.open_cases),
            (f"{name}.officers", place.officers),
            (f"{name}.capacity", place.capacity),
        ]
    for case in task.cases:
        for court, km in case.distances.items():
            if km is not None and not 0 <= km <= MOST:
                numbers.append((f"cases[{case.case_no}].distances[{court}]", km))
    for path, number in numbers:
        if number is not None and not 0 <= number <= MOST:
            yield Problem(
                "out_of_range",
                Text(f"{number}不在0与{MOST:g}之间", f"{number} is not between 0 and {MOST:g}"),
                path,
            )
