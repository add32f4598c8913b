"""The court register as a tree: superiors, common superiors, peers, distances.

A court belongs to one line: the ordinary courts, or a specialised line (海事, 铁路) that has
superiors of its own; a case moves only within its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import asin, cos, radians, sin, sqrt

from eligibility.rulebase.model import Court

EARTH_KM = 6371.0


class Register:
    """The courts of one rule base."""

    def __init__(self, courts: Mapping[str, Court]) -> None:
        self.courts = courts

    @cached_property
    def _named(self) -> dict[str, Court]:
        return {
            name: court
            for court in self.courts.values()
            for name in (*court.aliases, court.label.zh, court.id)
        }

    def find(self, name: object) -> Court | None:
        """The court with this id, name or alias."""
        return self._named.get(name) if isinstance(name, str) else None

    def superiors(self, court: Court) -> list[Court]:
        """The courts above, nearest first."""
        out: list[Court] = []
        above = self.courts.get(court.parent)
        while above is not None and not any(above is court for court in out):
            out.append(above)
            above = self.courts.get(above.parent)
        return out

    def next_higher(self, court: Court) -> Court | None:
        """上一级法院."""
        return self.courts.get(court.parent)

    def common_superior(self, *courts: Court) -> Court | None:
        """The nearest court above all of these (共同上级法院)."""
        first, *others = courts
        above_others = [{c.id for c in self.superiors(other)} for other in others]
        for court in self.superiors(first):
            if all(court.id in above for above in above_others):
                return court
        return None

    def commands(self, decider: Court, court: Court) -> bool:
        """Whether a court lies in the jurisdiction (本辖区) of a higher one."""
        return any(above is decider for above in self.superiors(court))

    def below(self, decider: Court) -> Iterator[Court]:
        """Every court in the jurisdiction of this one."""
        return (court for court in self.courts.values() if self.commands(decider, court))

    def peers(self, decider: Court, court: Court) -> list[Court]:
        """The other courts of the same level and line under a decider, in order of id."""
        found = [
            other
            for other in self.below(decider)
            if other.level == court.level and other.line == court.line and other.id != court.id
        ]
        return sorted(found, key=lambda other: other.id)


def distance_km(one: Court, other: Court) -> float | None:
    """The great-circle distance of two seats in kilometres; None where one is not known."""
    if one.site is None or other.site is None:
        return None
    (lat1, lon1), (lat2, lon2) = (
        tuple(map(radians, map(float, c.site or ()))) for c in (one, other)
    )
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))


def cases_per_officer(court: Court) -> float | None:
    """人均在办执行案件; None where the register does not know."""
    load = court.load
    if load is None or load.open_cases is None or not load.officers:
        return None
    return load.open_cases / load.officers
