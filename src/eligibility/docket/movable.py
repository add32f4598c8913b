"""Which cases of a docket may be moved, and which courts may take each of them.

A case may be moved where the rules open a mode that moves the power to enforce (a batch
counts as 批量调案 unless a case says otherwise), to the courts that pass its hard filters
under the deciding court. What may not be moved is named with its reason; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from eligibility.courts.plan import Dropped, Movable, Place
from eligibility.courts.register import distance_km
from eligibility.decision.assess import Assessment
from eligibility.decision.decide import Decider
from eligibility.decision.selection import select
from eligibility.docket.files import Placed
from eligibility.errors import EligibilityError, Problem, Text
from eligibility.rulebase.model import Court
from eligibility.vocabulary.payload import read_case

BATCH = "batch_program"
CLOSED_ON_PAPER = "terminated_this_time"


@dataclass(frozen=True, slots=True)
class Docket:
    """Cases sorted: may be moved, may not (with the reason), could not be read."""

    movable: tuple[Movable, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    rejected: tuple[tuple[str, tuple[Problem, ...]], ...] = ()
    places: tuple[Place, ...] = ()
    illustrative: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """What holds for all cases: who decides, on which day, by which profile, whether the cases
    are moved as one of a class."""

    superior: Court
    as_of: date
    profile: str | None = None
    must_move: bool = False


def sort_docket(decider: Decider, cases: Iterable[Placed], batch: Batch) -> Docket:
    """The cases of a docket sorted, with the courts that take part."""
    movable: list[Movable] = []
    dropped: list[Dropped] = []
    rejected: list[tuple[str, tuple[Problem, ...]]] = []
    for place, payload in cases:
        try:
            found = _sorted(decider, place, payload, batch)
        except EligibilityError as error:
            rejected.append((place, error.problems))
            continue
        if isinstance(found, Movable):
            movable.append(found)
        else:
            dropped.append(found)
    courts = _taking_part(decider, movable, batch.superior)
    return Docket(
        tuple(movable),
        tuple(dropped),
        tuple(rejected),
        tuple(_place(court) for court in courts),
        any(court.load.illustrative for court in courts if court.load),
    )


def _sorted(decider: Decider, place: str, payload: Any, batch: Batch) -> Movable | Dropped:
    if isinstance(payload, EligibilityError):
        raise payload
    if isinstance(payload, Mapping):
        payload = _with_defaults(decider, payload, batch)
    case = read_case(payload, decider.rulebase.vocabulary, batch.as_of)
    number = str(case.facts.get("case_no") or place)
    court = decider.register.find(case.facts.get("court_id"))
    name = court.id if court else str(case.facts.get("court_id") or "")
    if court is None:
        text = Text("执行法院未知或者不在法院名录中", "the executing court is not in the register")
        return Dropped(number, name, "unknown_court", text)
    profile = batch.profile or decider.profile_of(case)
    found = decider.assess(payload, batch.as_of, profile, "native")
    reason = _not_movable(decider, found)
    if reason is not None:
        return Dropped(number, name, "not_movable", reason)
    selection = select(found, decider.register)
    judged = selection.judged if selection else ()
    allowed = [j.candidate.court for j in judged if not j.failed and j.candidate.court]
    return Movable(
        case_no=number,
        court=court.id,
        allowed=tuple(sorted({c.id for c in allowed})),
        distances=_distances(decider, case.facts.get("main_property_court"), allowed),
        must_move=batch.must_move,
        counted=case.facts.get("procedure_status") != CLOSED_ON_PAPER,
    )


def _with_defaults(decider: Decider, payload: Mapping[Any, Any], batch: Batch) -> dict[Any, Any]:
    """The case as one of the batch: its channel and the court that decides, where it is silent."""
    facts = decider.rulebase.vocabulary.facts
    given = {fact.key for key in payload if (fact := decider.rulebase.vocabulary.named(str(key)))}
    defaults = {"request_channel": BATCH, "asked_court": batch.superior.id}
    known = {key: value for key, value in defaults.items() if key in facts and key not in given}
    return {**payload, **known}


def _not_movable(decider: Decider, found: Assessment) -> Text | None:
    """Why a case may not be moved; None where its outcome opens a crossing between courts."""
    if len(found.outcomes) == 1:
        (position, *_) = found.positions
        when = found.program.lowered.outcomes[position].when
        if when.get("kind") == "qualify" and when.get("grants") != "internal":
            return None
    labels = [decider.outcome_label(name) for name in found.outcomes]
    zh = "或者".join(label.zh for label in labels)
    en = " or ".join(label.en for label in labels)
    return Text(f"结论为：{zh}", f"the outcome is: {en}")


def _distances(decider: Decider, name: Any, courts: Iterable[Court]) -> dict[str, float | None]:
    """Kilometres from each court to the court of the main property; None where not known."""
    place = decider.register.find(name)
    if place is None:
        return {}
    return {court.id: distance_km(court, place) for court in courts}


def _taking_part(decider: Decider, movable: Iterable[Movable], superior: Court) -> list[Court]:
    """The courts that give or may take cases, in order of id."""
    names = {name for case in movable for name in (case.court, *case.allowed)} - {superior.id}
    return [decider.rulebase.courts[name] for name in sorted(names)]


def _place(court: Court) -> Place:
    load = court.load
    return Place(
        court=court.id,
        open_cases=load.open_cases if load else None,
        officers=load.officers if load else None,
        capacity=load.capacity if load else None,
        layer=f"{court.level}/{court.line}",
    )


def problems_of(docket: Docket) -> Iterator[Problem]:
    """Every problem of the rows that could not be read, with its row."""
    for place, problems in docket.rejected:
        for problem in problems:
            yield Problem(problem.code, problem.message, f"{place}: {problem.place}".rstrip(": "))
