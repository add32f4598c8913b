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


class CourtRef(BaseModel):
    id: str | None = Field(description="null: not in the register")
    label: Bilingual


class WhoOwes(Bilingual):
    role: str
    court: CourtRef | None


class EventRef(BaseModel):
    type: str
    label: Bilingual
    id: str | None = None


class DutyStart(BaseModel):
    """What a duty started from."""

    on: str
    kind: Literal["event", "decision", "verdict", "lapse"]
    event: EventRef | None = None
    rule: str | None = None
    rules: list[str] | None = None


class FactRef(BaseModel):
    fact: str
    label: Bilingual
    held_by: Bilingual


class DueTrail(BaseModel):
    """How a due date comes about."""

    from_: str = Field(alias="from")
    count: int
    unit: Literal["day", "working_day", "month"]
    before: bool = Field(description="counted backwards from the date")
    nominal: str
    moved_by: list[Moved]
    provisional: bool
    fact: FactRef | None = None


class AwaitedEvent(Bilingual):
    events: list[str]


class DutyEnd(BaseModel):
    on: str
    event: EventRef
    or_before: bool | None = None


class LadderStep(BaseModel):
    """What follows a lapse, and on which day."""

    after_days: int
    on: str
    instrument: str
    label: Bilingual
    formal: bool
    reached: bool


class AssumedMode(BaseModel):
    decided_mode: str
    label: Bilingual


class RecordRef(BaseModel):
    list_key: str = Field(alias="list")
    index: int


class FollowUpEntry(BaseModel):
    """A duty: who owes what by when, why, how it stands, what follows a lapse."""

    id: str
    rule: str
    duty: str
    title: Bilingual
    state: Literal["waiting", "open", "done", "done_late", "ended", "overdue", "lapsed"]
    state_label: Bilingual
    who: WhoOwes
    what: Bilingual
    starts: DutyStart | None = Field(description="null: its event has not happened")
    due: str | None
    due_trail: DueTrail | None
    after_event: AwaitedEvent | None = Field(description="the event it waits for")
    done: DutyEnd | None
    done_by: list[EventRef]
    ended: DutyEnd | None
    on_lapse: list[LadderStep]
    instrument_due: LadderStep | None = Field(description="the last step reached")
    basis: str
    proposed_parts: list[Bilingual]
    citations: list[str]
    contingent: bool = Field(description="waits for something that may never happen")
    record: RecordRef | None = None
    assumes: AssumedMode | None = Field(None, description="no decision on the mode is on record")
    missing: list[FactRef] | None = Field(None, description="facts without which it is not known")


class NamedCourt(BaseModel):
    court: str | None = Field(description="its id; null: not in the register")
    label: Bilingual


class ChosenCourt(NamedCourt):
    why: Bilingual


class NamedFactor(BaseModel):
    factor: str
    label: Bilingual


class FactToConfirm(FactRef):
    rules: list[str] = Field(description="the filters that hang on it")


class PreferRule(BaseModel):
    id: str
    title: Bilingual
    consequence: Bilingual
    basis: str
    proposed_parts: list[Bilingual]
    citations: list[str]


class FactorShare(NamedFactor):
    """What a factor brings a court: ``share`` = ``weight`` / 100 × ``normalised``."""

    value: Any = Field(description="as recorded")
    shown: Bilingual
    normalised: float = Field(description="0 to 1, after ``flipped``")
    flipped: bool = Field(description="counts inversely")
    weight: float = Field(description="percent of the weights that count")
    share: float


class RankedCourt(NamedCourt):
    rank: int = Field(description="ties share a rank")
    tied: bool
    score: float = Field(description="0 to 1, the sum of the shares")
    factors: list[FactorShare]
    to_confirm: list[FactToConfirm] = Field(description="a filter may yet exclude it by these")
    illustrative: bool = Field(description="rests on a load of the register that is made up")


class ExcludedReason(Bilingual):
    fact: str


class ExcludingRule(PreferRule):
    reasons: list[ExcludedReason]
    because: Reason


class ExcludedCourt(NamedCourt):
    rules: list[ExcludingRule]


class LeftOutFactor(NamedFactor):
    """A factor that counts for no court, being unknown for some."""

    unknown_for: list[NamedCourt]


class FlippingRule(PreferRule):
    factors: list[NamedFactor]
    because: Reason


class OtherRanking(PreferRule):
    """A rule that would turn factors round, if it held; that is not known."""

    factors: list[NamedFactor]
    unknown: list[FactRef]
    first: NamedCourt
    changes_first: bool


class BeyondEnds(BaseModel):
    below: NamedCourt | None
    above: NamedCourt | None


class WeightInterval(NamedFactor):
    """How far one weight may move, in percent of the total, before the first place changes."""

    weight: float
    from_: float = Field(alias="from")
    to: float
    then: BeyondEnds = Field(description="who is first beyond each end; null: the end is 0 or 100")


class ReceivingCourts(BaseModel):
    """Who may receive the case, in which order and why. Advice: people may choose otherwise."""

    decider: ChosenCourt | None
    unknown: list[FactRef] = Field(description="without them nobody can say who decides")
    competent_court: ChosenCourt | None = Field(description="where the asked court may not decide")
    rule: PreferRule | None = Field(description="the rule that ranks")
    ranked: list[RankedCourt]
    gap: float | None = Field(description="first score less the second")
    excluded: list[ExcludedCourt]
    left_out: list[LeftOutFactor]
    flipped: list[FlippingRule]
    if_also: list[OtherRanking]
    sensitivity: list[WeightInterval]
    elevation: ChosenCourt | None = Field(description="the court that would take the case itself")
    notes: list[Bilingual]


class QuotedSource(BaseModel):
    title: Bilingual
    quotes: list[str]


class Decision(BaseModel):
    """A decision on one case, with everything that a reviewer needs to check it by hand."""

    decision_id: str | None = Field(None, description="of a recorded decision")
    decided_at: str | None = Field(None, description="of a recorded decision")
    follows: str | None = Field(None, description="the decision that this one re-evaluates")
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
    follow_ups: list[FollowUpEntry]
    receiving_courts: ReceivingCourts
    warnings: list[ProblemEntry]
    sources: dict[str, QuotedSource] | None = Field(None, description="with explain=full")
