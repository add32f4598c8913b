"""The shape of a decision as answered: for OpenAPI only, answers are never filtered by it.

Fields may be added within a major version; clients must ignore what they do not know.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

Truth = Literal["true", "false", "unknown"]


class Bilingual(BaseModel):
    """A text in the two languages of the product."""

    zh: str
    en: str


class ProblemEntry(BaseModel):
    """One thing that is wrong or that a reader should know of."""

    path: str = Field(description="where: a JSON path such as properties[0].seizure_rank")
    code: str = Field(description="stable; explained in docs/errors.md")
    message: Bilingual
    rule: str | None = None
    hint: Bilingual | None = Field(None, description="what to write instead")
    allowed: list[str] | None = Field(None, description="the values that would do")


class RulebaseRef(BaseModel):
    version: str
    digest: str = Field(description="identifies the content: sha256:…")


class ModeEntry(BaseModel):
    """A mode of crossing that is open; least intrusive first."""

    mode: str
    label: Bilingual
    rules: list[str]
    decided_by: str
    decided_by_label: Bilingual
    instrument: Bilingual
    power_moves: bool
    set_level: bool
    recommended: bool
    why: Bilingual
    prepare_only: bool | None = Field(None, description="may only be prepared while a stay lasts")


class Over(Bilingual):
    """The list of records that a quantifier runs over."""

    list_key: str = Field(alias="list")


class Reason(BaseModel):
    """A node of an explanation: an operator with children, or a sentence about one fact."""

    truth: Truth
    op: Literal["all", "any", "every", "not"] | None = None
    children: list[Reason] | None = None
    over: Over | None = None
    definition: Bilingual | None = None
    fact: str | None = None
    sentence: Bilingual | None = None
    value: Any = Field(None, description="the value of the fact; null = unknown")
    shown: Bilingual | None = None
    held_by: Bilingual | None = None
    presumed: bool | None = Field(None, description="silence was taken for an answer")
    parameter: dict[str, Any] | None = None


class RuleEntry(BaseModel):
    """A rule in a decision, with the reason of its verdict."""

    id: str
    title: Bilingual
    kind: str
    layer: str
    verdict: Truth = Field(description="whether its condition holds")
    effective: Truth = Field(description="whether it counts: its channel fits, nothing defeats it")
    defeated_by: list[str] = Field(description="channel, override, or ids of rules")
    advisory: bool
    absolute: bool = Field(description="nothing can defeat it")
    basis: str = Field(description="statute, reported or proposed")
    proposed_parts: list[Bilingual]
    citations: list[str]
    consequence: Bilingual
    because: Reason
    grants: str | None = None
    modes: list[str] | None = None
    effect: str | None = None
    cure: Bilingual | None = None
    override_by: dict[str, Bilingual] | None = None
    ground: Bilingual | None = None


class QuestionEntry(BaseModel):
    """A fact whose answer can change the outcome, in the order of asking."""

    fact: str
    path: str
    label: Bilingual
    type: str
    held_by: Bilingual
    rules: list[str]
    values: dict[str, Bilingual] | None = None
    decides: list[str] | None = Field(None, description="derived facts that it is asked for")


class PresumedEntry(BaseModel):
    """What silence was taken for, and what an answer to the contrary would change."""

    fact: str
    path: str
    as_: Any = Field(alias="as")
    leaf: Bilingual | None = None
    held_by: Bilingual
    rules: list[str]
    outcomes_if_otherwise: list[str]


class Moved(BaseModel):
    day: str
    reason: str


class ClockDates(BaseModel):
    start: str
    months: int
    base: str
    deducted_days: int
    nominal: str
    expires: str
    moved_by: list[Moved]
    exceeded: bool


class OtherReading(ClockDates):
    policy: str


class IntervalEntry(BaseModel):
    path: str
    kind: str
    from_: str = Field(alias="from")
    to: str
    days: int
    capped: bool


class ClockEntry(ClockDates):
    """A period with all that is needed to check it by hand."""

    name: str
    label: Bilingual
    intervals: list[IntervalEntry]
    provisional: bool = Field(description="rests on holidays that are not yet published")
    citations: list[str]
    record: int | None = Field(None, description="which property or debtor")
    other_reading: OtherReading | None = None


class Change(BaseModel):
    date: str
    outcome: str
    possible_outcomes: list[str]


class Step(BaseModel):
    fact: str
    path: str
    label: Bilingual
    from_: Any = Field(alias="from")
    to: Any
    shown: Bilingual
    how: str | None = None
    wait_days: int | None = None
    held: str | None = None


class ChangeSet(BaseModel):
    steps: list[Step]
    outcomes: list[str]
    certain: bool


class Counterfactual(BaseModel):
    """The smallest sets of changes after which the outcome is better."""

    can_do: list[ChangeSet]
    cannot_change: list[ChangeSet]


class ReceivingCourts(BaseModel):
    ranked: list[dict[str, Any]]
    excluded: list[dict[str, Any]]


class QuotedSource(BaseModel):
    title: Bilingual
    quotes: list[str]


class Decision(BaseModel):
    """A decision on one case, with everything that a reviewer needs to check it by hand."""

    case_no: str | None
    outcome: str = Field(description="need_info where several outcomes remain possible")
    outcome_label: Bilingual
    possible_outcomes: list[str]
    exact: bool = Field(description="false: possible_outcomes may be wider than it need be")
    profile: str
    as_of: str
    rulebase: RulebaseRef
    engine: str
    renderer: str
    modes: list[ModeEntry]
    rules: list[RuleEntry]
    questions: list[QuestionEntry]
    presumed: list[PresumedEntry]
    clocks: list[ClockEntry]
    changes_on: Change | None
    counterfactual: Counterfactual
    follow_ups: list[dict[str, Any]]
    receiving_courts: ReceivingCourts
    warnings: list[ProblemEntry]
    sources: dict[str, QuotedSource] | None = Field(None, description="with explain=full")
