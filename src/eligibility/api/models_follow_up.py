"""Requests and answers of what follows a decision, as OpenAPI shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eligibility.api.decisions_model import (
    Bilingual,
    CourtRef,
    FollowUpEntry,
    ProblemEntry,
    RulebaseRef,
)
from eligibility.api.models import Day, Labelled, Moment
from eligibility.courts.periods import FORMS, PATTERN
from eligibility.decision.due import State

MOST = 1000


class DayQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_of: Day | None = Field(None, description="as things stand on this day; default: today")


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, description="'next' of the page before")
    limit: int = Field(100, ge=1, le=MOST)


class DecisionsQuery(_Page):
    case_no: str | None = Field(None, description="the case number")
    court: str | None = Field(None, description="the executing court: id, name or alias")
    outcome: str | None = Field(None, description="code of an outcome")
    decided_from: Moment | None = Field(None, description="first moment meant")
    decided_to: Moment | None = Field(None, description="first moment no longer meant")


class FollowUpsQuery(_Page):
    court: str | None = Field(None, description="who owes: id, name or alias")
    case_no: str | None = Field(None, description="the case number")
    state: list[State] = Field(default=[], description="one or more; default: all")
    rule: str | None = Field(None, description="id of a rule")
    due_before: Day | None = Field(None, description="due before this day")
    as_of: Day | None = Field(None, description="as things stand on this day; default: today")


class DecisionSummary(BaseModel):
    decision_id: str
    case_no: str | None
    court: str | None
    outcome: str
    profile: str
    as_of: str
    rulebase: str
    decided_at: str
    follows: str | None


class DecisionList(BaseModel):
    count: int
    decisions: list[DecisionSummary]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class DifferenceEntry(BaseModel):
    path: str = Field(description="where in the decision: a JSON path such as rules[0].verdict")
    then: Any = Field(description="in the decision on record; null may also be nothing")
    now: Any


class Replay(BaseModel):
    """How a decision comes out when it is computed again from what was recorded."""

    decision_id: str
    identical: bool
    differences: list[DifferenceEntry]
    omitted: int = Field(description="differences beyond those listed")
    problems: list[ProblemEntry] = Field(description="why it could not be computed again")
    notes: list[ProblemEntry] = Field(description="what to know of the comparison")


class LedgerEntry(FollowUpEntry):
    """A duty of the ledger, with its case."""

    case_no: str | None
    decision_id: str


class FollowUpList(BaseModel):
    as_of: str
    count: int
    follow_ups: list[LedgerEntry]
    next: str | None


class EventEntry(BaseModel):
    """An event on record; a property or debtor that it is about stands under its kind."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    label: Bilingual
    on: str
    facts: dict[str, Any]
    doc_no: str | None = None
    note: str | None = None
    corrects: str | None = None
    answers: str | None = None
    withdrawn: bool | None = None
    stands: bool | None = Field(None, description="false: corrected or withdrawn")
    recorded_at: str | None = None


class EventRequest(BaseModel):
    """What happened to a case. One of ``case_no`` and ``decision_id`` is required."""

    case_no: str | None = None
    decision_id: str | None = None
    id: str | None = Field(None, description="of the sender's; default: made from the content")
    type: str = Field(description="see /v1/events/types; key or Chinese label")
    on: str = Field(description="the day it happened", json_schema_extra={"format": "date"})
    facts: dict[str, Any] | None = Field(None, description="what the type of event carries")
    property: int | None = Field(None, ge=0, description="which property of the case, from 0")
    debtor: int | None = Field(None, ge=0, description="which debtor of the case, from 0")
    doc_no: str | None = None
    note: str | None = None
    corrects: str | None = Field(None, description="id of the event that this one replaces")
    withdrawn: bool | None = Field(None, description="with corrects: nothing takes its place")
    answers: str | None = Field(None, description="id of the event that this one answers")


class EventAnswer(BaseModel):
    event: EventEntry
    new: bool = Field(description="false: it was on record already")
    follow_ups: list[FollowUpEntry] = Field(description="the duties of the case as they stand")


class EventTypeEntry(BaseModel):
    type: str
    label: Bilingual
    day: list[Labelled]
    facts: list[Labelled]
    required: list[str]
    sets: dict[str, Any]
    begins: str | None
    ends: list[str]
    transfers: bool
    contingent: bool
    note: Bilingual | None
    starts: list[str] = Field(description="duties that it starts")
    fulfils: list[str] = Field(description="duties that it fulfils")


class EventTypeList(BaseModel):
    rulebase: str
    count: int
    types: list[EventTypeEntry]


class CaseDecision(BaseModel):
    id: str
    outcome: str
    as_of: str
    decided_at: str
    profile: str
    rulebase: str
    follows: str | None


class ChangedFact(BaseModel):
    fact: str
    path: str
    label: Bilingual
    then: Any = Field(description="in the decision; null = unknown")
    now: Any
    shown: Bilingual
    event: str | None = Field(
        description="id of the event that changed it; null: one that was withdrawn since"
    )


class SinceDecision(BaseModel):
    """What became of the facts of the latest decision."""

    decision_id: str
    stale: bool = Field(description="the case is worth deciding again")
    changed: list[ChangedFact]
    outcome_then: str
    outcome_now: str | None = None
    outcome_now_label: Bilingual | None = None
    possible_outcomes_now: list[str] | None = None
    case: dict[str, Any] | None = Field(None, description="the case as it stands, to send again")
    problems: list[ProblemEntry] | None = Field(None, description="why it cannot be decided now")


class CaseView(BaseModel):
    """A case as it stands on a day."""

    case_no: str | None
    as_of: str
    decisions: list[CaseDecision]
    events: list[EventEntry]
    follow_ups: list[FollowUpEntry]
    since_decision: SinceDecision | None
    warnings: list[ProblemEntry]


class CourtLoad(BaseModel):
    officers: int | None
    open_cases: int | None
    capacity: int | None
    on: str | None
    illustrative: bool = Field(description="made up for an example")


class CourtEntry(BaseModel):
    id: str
    label: Bilingual
    level: Literal["supreme", "high", "intermediate", "basic"]
    parent: str | None
    profile: str | None
    line: str | None
    aliases: list[str]
    district: str | None
    teams: list[str]
    load: CourtLoad | None


class CourtList(BaseModel):
    rulebase: str
    count: int
    courts: list[CourtEntry]


class NoticeQuery(DayQuery):
    duty: str | None = Field(None, description="id of the duty it is about; a letter needs one")
    doc_no: str = Field("", description="number of the document")
    until: Day | None = Field(None, description="the day set for doing what is asked")


class SupervisionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    period: str = Field(
        description="2025, 2025Q1, 2025-03 or 2023-01/2025-09",
        json_schema_extra={"pattern": PATTERN, "examples": list(FORMS)},
    )
    profile: str | None = Field(None, description="default: that of the court")
    format: Literal["json", "csv", "svg"] = "json"


class Supervision(BaseModel):
    """A court in a period. ``rules``: every measure with its figures, line and result."""

    court: CourtRef
    period: dict[str, Any]
    profile: str
    as_of: str
    rulebase: RulebaseRef
    rules: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    notes: list[Bilingual]
    notice: Bilingual
