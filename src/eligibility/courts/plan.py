"""What a plan for many cases is made from, what it says, and how it is measured.

Two ways make a plan: :func:`eligibility.courts.allocation.allocate` (面上调案, S82) and
:func:`eligibility.courts.rotation.rotate` (“推磨式”分层交叉, S36). A plan is a proposal; the
deciding court takes or leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eligibility.errors import EligibilityError, Text


@dataclass(frozen=True, slots=True)
class Movable:
    """A case that may be moved.

    ``court``: where it is now. ``allowed``: the courts that pass its hard filters (jurisdiction
    of the decider, level and line, conflict of interest, failed there before); its own court
    and courts without a :class:`Place` do not count. ``distances``: kilometres from a court to
    the main assets of the case; missing or None = unknown. ``must_move``: it is moved as one of
    a class (as S82 moves all notarised debts of a city). ``counted``: it is among the open cases
    of its court; a case closed on paper (终本) is not, and weighs only on the court that gets it.
    """

    case_no: str
    court: str
    allowed: frozenset[str] | tuple[str, ...]
    distances: Mapping[str, float | None] = field(default_factory=dict)
    must_move: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A court that takes part, with its load now; None = not known.

    ``capacity``: cases that it may still be given, whatever it gives away; a court whose
    capacity is not known is given none. ``layer`` (层): the courts that are compared and that
    rotate with each other, such as those of one level and line under one decider.
    """

    court: str
    open_cases: int | None
    officers: int | None
    capacity: int | None
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The aims, and what they are worth in one currency: kilometres.

    - ``distance_weight`` times the kilometres from the new court to the main assets; a case
      that stays costs none;
    - ``move_weight`` for every move (the work of handing over);
    - ``spread_weight`` times the spread of load, which falls by the difference in open cases
      per officer between giving and receiving court when one case moves. At weight 1 a case
      moves 50 km only if it relieves a court with 50 more cases per officer.

    ``max_moves``: cap on the number of moves, None = no cap. ``unknown_distance_km`` stands in
    for a distance that is not known; None = the longest distance known in the docket, so that
    not knowing never makes a court look near. All weights are proposals of this project.
    """

    max_moves: int | None = None
    distance_weight: float = 1.0
    move_weight: float = 1.0
    spread_weight: float = 1.0
    unknown_distance_km: float | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A case and the court that it is to go to; ``distance_km`` None = not known.

    ``required``: it is one that must move.
    """

    case_no: str
    origin: str
    court: str
    distance_km: float | None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """A case that was to move and cannot; it lies where it is, in ``court``.

    ``code``: ``no_allowed_court``, ``no_capacity``, ``move_cap``; in a rotation also
    ``alone_in_layer`` and ``ring_not_allowed``. ``ring``: where the rotation would send it.
    """

    case_no: str
    court: str
    code: str
    reason: Text
    ring: str | None = None


@dataclass(frozen=True, slots=True)
class CourtLoad:
    """A court before and after. ``open_after`` = ``open_before`` + ``received`` − the ``sent``
    cases that are counted. ``level``: open cases per officer over its layer, before.

    ``per_officer_…`` is None where the load cannot be compared: the court receives up to its
    capacity but does not enter the spread, as if it lay at the level of its layer.
    """

    court: str
    layer: str
    capacity: int | None
    received: int
    sent: int
    open_before: int | None
    open_after: int | None
    per_officer_before: float | None
    per_officer_after: float | None
    level: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every case exactly once in ``assignments``, ``staying`` (case numbers) or ``dropped``.

    ``loads`` in order of court id. ``total_km`` sums the known distances; ``unknown_distance``
    are the assigned cases whose distance to their court is not known, reckoned in the objective
    with ``unknown_distance_km``. ``spread_…``: standard deviation of the open cases per officer
    from the level of their layer, weighted by officers; None where no load can be compared.
    ``objective``: what was minimised, see :class:`Wishes`. ``gap``: how far it may lie above the
    best possible at most; 0 = proved best, None = not known. ``ring``: of a rotation, each
    court with the court that gets its cases.
    """

    assignments: tuple[Assignment, ...]
    staying: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    loads: tuple[CourtLoad, ...]
    total_km: float
    unknown_distance: tuple[str, ...]
    unknown_distance_km: float
    spread_before: float | None
    spread_after: float | None
    objective: float
    gap: float | None
    solver: str
    ring: tuple[tuple[str, str], ...] = ()

    @property
    def moves(self) -> int:
        return len(self.assignments)

    @property
    def uncompared(self) -> tuple[str, ...]:
        """The courts whose load is not known well enough to compare."""
        return tuple(load.court for load in self.loads if load.per_officer_before is None)

    @property
    def unknown_capacity(self) -> tuple[str, ...]:
        """The courts that are given nothing because nobody knows what they could take."""
        return tuple(load.court for load in self.loads if load.capacity is None)


class PlanError(EligibilityError):
    """The docket and the courts do not fit each other, or a number makes no sense."""

    status = 422


REASONS: Mapping[str, Text] = {
    "no_allowed_court": Text(
        "参加调案的法院中没有可以承办此案的", "no court that takes part may take the case"
    ),
    "no_capacity": Text(
        "可以承办此案的法院均已满额，或者可再承办数不明",
        "every court that may take the case is full, or its capacity is not known",
    ),
    "move_cap": Text("已达到调案件数上限", "the cap on moves is reached"),
    "alone_in_layer": Text(
        "本层没有其他参加的法院，无从轮转", "its layer has no other court to rotate with"
    ),
    "ring_not_allowed": Text(
        "轮转所到的法院不得承办此案", "the court that the ring leads to may not take the case"
    ),
}


def drop(case: Movable, code: str, ring: str | None = None) -> Dropped:
    """The case dropped for this reason."""
    return Dropped(case.case_no, case.court, code, REASONS[code], ring)
