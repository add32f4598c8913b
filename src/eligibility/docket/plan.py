"""A plan for a docket as JSON data: where each case goes, loads before and after, why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eligibility.courts.plan import CourtLoad, Dropped, Plan
from eligibility.docket.movable import Docket
from eligibility.errors import Text
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]
_PROPOSED = Text(
    "方案只是建议，由决定法院决定；各项权重为本项目的建议",
    "the plan is a proposal for the deciding court; its weights are proposals of this project",
)
_ILLUSTRATIVE = Text(
    "用到法院名录中的示例负荷，并非实际数字，不能据以调案",
    "it rests on illustrative loads of the register: no case can be moved on such figures",
)


def plan_entry(plan: Plan, docket: Docket, rulebase: Rulebase) -> Entry:
    """The plan with the cases that were dropped or not read before it was made."""
    dropped = [*docket.dropped, *plan.dropped]
    rejected = [_rejected(place, problems) for place, problems in docket.rejected]
    return {
        "rulebase": {"version": rulebase.version, "digest": rulebase.digest},
        "counts": {
            "moved": plan.moves,
            "staying": len(plan.staying),
            "dropped": len(dropped),
            "rejected": len(rejected),
        },
        "assignments": [
            {
                "case_no": a.case_no,
                "from": a.origin,
                "to": a.court,
                "distance_km": a.distance_km,
                "required": a.required,
            }
            for a in plan.assignments
        ],
        "staying": list(plan.staying),
        "dropped": [_dropped(entry) for entry in sorted(dropped, key=lambda d: d.case_no)],
        "rejected": rejected,
        "loads": [_load(load) for load in plan.loads],
        "ring": [{"from": court, "to": to} for court, to in plan.ring],
        "total_km": plan.total_km,
        "unknown_distance": list(plan.unknown_distance),
        "unknown_distance_km": plan.unknown_distance_km,
        "spread_before": plan.spread_before,
        "spread_after": plan.spread_after,
        "objective": plan.objective,
        "gap": plan.gap,
        "solver": plan.solver,
        "notes": [note.as_dict() for note in _notes(plan, docket)],
    }


def _notes(plan: Plan, docket: Docket) -> Iterable[Text]:
    yield _PROPOSED
    if docket.illustrative:
        yield _ILLUSTRATIVE
    if plan.unknown_distance:
        n, km = len(plan.unknown_distance), plan.unknown_distance_km
        yield Text(
            f"{n} 件距主要财产多远不明，按 {km:.0f} 公里计",
            f"of {n} cases the distance to the main property is not known: taken as {km:.0f} km",
        )
    if plan.uncompared:
        courts = ", ".join(plan.uncompared)
        yield Text(f"负荷不明、未作比较的法院：{courts}", f"load not known, not compared: {courts}")
    if plan.unknown_capacity:
        courts = ", ".join(plan.unknown_capacity)
        yield Text(f"可承办数不明、未予调入的法院：{courts}", f"capacity not known: {courts}")


def _dropped(entry: Dropped) -> Entry:
    out = {
        "case_no": entry.case_no,
        "from": entry.court,
        "code": entry.code,
        "reason": entry.reason.as_dict(),
    }
    return out | ({"to": entry.ring} if entry.ring else {})


def _rejected(place: str, problems: Any) -> Entry:
    first = problems[0]
    return {
        "case_no": place,
        "code": first.code,
        "reason": {lang: f"{first.place}: {first.sentence(lang)}" for lang in ("zh", "en")},
        "errors": [problem.as_dict() for problem in problems],
    }


def _load(load: CourtLoad) -> Entry:
    return {
        "court": load.court,
        "layer": load.layer,
        "capacity": load.capacity,
        "received": load.received,
        "sent": load.sent,
        "open_before": load.open_before,
        "open_after": load.open_after,
        "per_officer_before": load.per_officer_before,
        "per_officer_after": load.per_officer_after,
    }
