"""Requests and the other answers, as OpenAPI shows them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from eligibility.api.decisions_model import Bilingual, ProblemEntry
from eligibility.vocabulary.model import Vocabulary
from eligibility.vocabulary.schema import DAY, case_type

# --- errors ---------------------------------------------------------------------------------


class ProblemDocument(BaseModel):
    """An error in the form of RFC 9457; ``code`` is stable, texts are not."""

    type: str = Field(examples=["urn:eligibility:problem:unknown_fact"])
    title: str
    status: int
    code: str = Field(description="code of the first error; see docs/errors.md")
    detail: str
    errors: list[ProblemEntry]
    request_id: str | None = Field(default=None, description="the X-Request-Id of the answer")


# --- requests -------------------------------------------------------------------------------


def decision_request(vocabulary: Vocabulary) -> type[BaseModel]:
    """The body of ``POST /v1/decisions``: the shape only, values are read by ``read_case``."""
    day: dict[str, Any] = {"pattern": DAY, "format": "date"}
    return create_model(
        "DecisionRequest",
        __config__=ConfigDict(extra="forbid", strict=True),
        __doc__="A case to decide.",
        case=(case_type(vocabulary), Field(description="the facts")),
        profile=(
            str | None,
            Field(
                None,
                description="the layer of policy; default: that of the executing court",
                examples=["national"],
            ),
        ),
        as_of=(
            str | None,
            Field(
                None,
                description="day of evaluation; default: evaluation_date of the case, else today",
                json_schema_extra={"examples": ["2024-07-16"], **day},
            ),
        ),
        rulebase=(
            str | None,
            Field(None, description="digest of the rule base that must decide; default: any"),
        ),
    )


class DecisionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(False, description="true: nothing is recorded and the decision has no id")
    explain: Literal["full"] | None = Field(
        None, description="full: list every rule, also those that do not hold, and quote sources"
    )


class BatchQuery(DecisionQuery):
    answer: Literal["whole", "brief"] = Field(
        "whole",
        description="brief: the line, the outcome and those still possible, the rules in effect, "
        "what is missing, when time changes it, and the decision's id",
    )


MOMENT = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)"


def _written(form: str, kind: Literal["date", "datetime"]) -> BeforeValidator:
    """Only what is written in this form: pydantic would also take a number of seconds."""

    def check(raw: str) -> str:
        if re.fullmatch(form, raw, re.ASCII) is None:
            raise PydanticCustomError(kind, "not of the form")
        return raw

    return BeforeValidator(check)


Moment = Annotated[AwareDatetime, _written(MOMENT, "datetime")]
Day = Annotated[
    date,
    _written(DAY, "date"),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY}),
]
"""A day of a query, within the bounds and in the form of the dates of a case."""


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReadingQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rulebase: str | None = Field(
        None, description="digest of the rule base to read; default: the one in force"
    )


class RuleQuery(ReadingQuery):
    kind: str | None = Field(None, description="qualify, bar, require, prefer, supervise")
    layer: str | None = Field(None, description="a layer of the rule base")
    basis: str | None = Field(None, description="statute, reported or proposed")
    profile: str | None = Field(None, description="only rules that this profile applies")
    as_of: Day | None = Field(None, description="with profile: on this day; default: today")


# --- answers --------------------------------------------------------------------------------


class Labelled(BaseModel):
    key: str
    label: Bilingual


class Period(BaseModel):
    from_: str | None = Field(alias="from")
    to: str | None
    note: Bilingual | None


class FactEntry(BaseModel):
    """A fact of the dictionary."""

    key: str
    label: Bilingual
    type: str
    scope: str = Field(description="case, or the kind of record that it belongs to")
    unit: str | None
    values: list[Labelled]
    can_be_none: bool = Field(description="none (无) is a value: it did not happen")
    many: bool
    minimum: float | None
    maximum: float | None
    derived: bool
    alias_of: str | None
    held_by: Bilingual | None
    actionable_by: str
    note: Bilingual | None
    presumed: Any = Field(description="what derivations take silence for")
    rules: list[str] = Field(description="rules that ask for it")


class RecordEntry(BaseModel):
    name: str
    list_key: str = Field(alias="list", description="key of these records in a case")
    label: Bilingual
    fields: list[str]


class FactList(BaseModel):
    rulebase: str
    count: int
    facts: list[FactEntry]
    records: list[RecordEntry]


class FormField(BaseModel):
    key: str
    label: Bilingual
    type: str
    many: bool
    options: list[Option]
    can_be_none: bool
    minimum: float | None
    maximum: float | None
    unit: str | None
    help: Bilingual | None
    derived: bool


class Option(BaseModel):
    value: str
    label: Bilingual


class FieldGroup(BaseModel):
    held_by: Bilingual
    fields: list[FormField]


class FormScope(BaseModel):
    scope: str
    label: Bilingual
    list_key: str | None = Field(alias="list")
    may_be_empty: bool
    may_stand_flat: bool
    groups: list[FieldGroup]


class Form(BaseModel):
    """What a program needs to draw a form for a case."""

    scopes: list[FormScope]


class RuleSummary(BaseModel):
    id: str
    title: Bilingual
    kind: str
    layer: str | None = Field(description="of rules that decide cases")
    profile: str
    basis: str
    citations: list[str]
    effective: Period | None


class RuleList(BaseModel):
    rulebase: str
    count: int
    rules: list[RuleSummary]


class Node(BaseModel):
    """A node of a condition: an operator with children, or a sentence."""

    op: str | None = None
    label: Bilingual | None = None
    children: list[Node] | None = None
    fact: str | None = None
    sentence: Bilingual | None = None
    definition: bool | None = None
    parameter: str | None = None


class ConditionEntry(BaseModel):
    tree: Node
    text: Bilingual = Field(description="the tree as indented text")


class ParameterValueEntry(BaseModel):
    value: Any
    profile: str | None
    effective: Period | None
    basis: str
    ground: Bilingual | None
    citations: list[str]


class ParameterEntry(BaseModel):
    key: str
    label: Bilingual
    type: str
    unit: str | None
    choices: list[Labelled]
    set_by: Bilingual | None
    values: list[ParameterValueEntry]


class SourceEntry(BaseModel):
    """A cited text; quotes are verbatim."""

    id: str
    title: Bilingual
    kind: str
    locator: str | None
    quotes: list[str]
    url: str | None
    gloss: Bilingual | None
    note: Bilingual | None
    verified: bool
    cited_by: list[str] | None = None


class RuleDetail(RuleSummary):
    """A rule in full: its condition in both languages, its sources with quotes."""

    layer_label: Bilingual | None
    over: Bilingual | None
    when: ConditionEntry | None = Field(description="null = always")
    unless: ConditionEntry | None
    on_unknown: dict[str, str]
    channel: list[str]
    grants: str | None
    effect: str | None
    modes: list[str]
    defeats: list[str]
    advisory: bool
    set_level: bool
    in_stay: str | None
    duties: list[dict[str, Any]] = Field(description="of require rules")
    hard: bool = Field(description="of prefer rules: a candidate that does not fit is excluded")
    weights: list[dict[str, Any]] = Field(description="of prefer rules: factor and parameter")
    flips: list[Labelled] = Field(description="of prefer rules: factors that count inversely")
    measures: list[dict[str, Any]] = Field(description="of supervise rules")
    period: str | None
    cure: Bilingual | None
    override_by: list[Labelled]
    exception: Bilingual | None
    consequence: Bilingual | None
    note: Bilingual | None
    proposed_parts: list[Bilingual]
    ground: Bilingual | None
    adopted_by: list[str]
    facts: list[Labelled]
    parameters: list[ParameterEntry]
    sources: list[SourceEntry]
    place: str = Field(description="file:line:column in the rule base")


class SourceList(BaseModel):
    rulebase: str
    count: int
    sources: list[SourceEntry]


class ProfileEntry(BaseModel):
    """A layer of policy."""

    id: str
    label: Bilingual
    extends: str | None
    chain: list[str] = Field(description="the profile and the layers above it")
    adopts: list[str] = Field(description="proposed rules that apply here")
    adopts_itself: bool = Field(description="false: taken over from the layer above")
    rules: list[str] = Field(description="every rule at home in the chain")


class ProfileList(BaseModel):
    rulebase: str
    count: int
    profiles: list[ProfileEntry]


class OutcomeEntry(BaseModel):
    outcome: str
    label: Bilingual


class DaysInForce(BaseModel):
    """``to`` is the last day; null where no end is set."""

    from_: str = Field(alias="from")
    to: str | None


class ActivationEntry(BaseModel):
    """A row of the schedule; ``withdraws``: the number of the activation it takes back."""

    seq: int
    digest: str
    effective_from: str
    withdraws: int | None
    activated_at: str
    by: str
    note: str


class RulebaseEntry(BaseModel):
    version: str
    digest: str
    in_force: bool = Field(description="today")
    effective: list[DaysInForce] = Field(description="on which days it is in force")
    counts: dict[str, int]
    outcomes: list[OutcomeEntry]
    warnings: list[ProblemEntry]


class RulebaseList(BaseModel):
    """Every published rule base, and every activation in the order in which it was made."""

    rulebases: list[RulebaseEntry]
    activations: list[ActivationEntry]


class RollbackRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    by: str = Field(description="who does it")
    note: str = Field("", description="why")


class ActivationRequest(RollbackRequest):
    effective_from: str | None = Field(
        None,
        description="first day in force; default: today",
        json_schema_extra={"pattern": DAY, "format": "date"},
    )


class Health(BaseModel):
    status: Literal["ok"]
    rulebase: str
    engine: str
