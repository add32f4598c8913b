"""Screenings as background jobs, as OpenAPI shows them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from eligibility.api.decisions_model import ProblemEntry
from eligibility.api.models import Day
from eligibility.records.screenings import State

Form = Literal["parquet", "csv", "ndjson"]


class ScreeningQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    profile: str | None = Field(
        None, description="the layer of policy for all rows; default: that of each executing court"
    )
    as_of: Day | None = Field(
        None, description="day of evaluation; default: evaluation_date of the row, else today"
    )
    rulebase: str | None = Field(
        None, description="digest of the rule base; default: the one in force on the day"
    )
    format: Form | None = Field(None, description="form of the result; default: that of the docket")
    dates: bool = Field(
        True, description="when time alone changes each outcome; without, several times faster"
    )


class ScreeningsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(None, description="only jobs in this state")
    cursor: str | None = Field(None, description="'next' of the page before")
    limit: int = Field(100, ge=1, le=1000)


class Rejected(BaseModel):
    count: int
    first: list[str] = Field(description="place, fact, code and reason of the first rows rejected")


class Summary(BaseModel):
    rows: int
    outcomes: dict[str, int]
    rules: dict[str, int] = Field(description="cases in which each rule is certainly in effect")
    courts: dict[str, dict[str, int]] = Field(description="outcomes by executing court")
    rejected: Rejected


class Links(BaseModel):
    self: str
    result: str | None = Field(description="once it is done")
    cancel: str | None = Field(description="until it has ended")


class Screening(BaseModel):
    id: str
    state: State
    cancelling: bool = Field(description="it was cancelled and is about to end")
    docket: Form
    format: Form
    rulebase: str
    profile: str | None
    as_of: str | None
    today: str = Field(description="the day of evaluation of rows that name none")
    dates: bool
    rows_done: int
    bytes_done: int = Field(description="bytes of the docket that were read")
    bytes_total: int
    rows_per_second: float | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    deleted_at: str | None = Field(description="when the job and its result are deleted")
    summary: Summary | None = Field(description="once it is done; not in lists")
    problems: list[ProblemEntry] = Field(description="why it failed")
    links: Links


class ScreeningList(BaseModel):
    count: int
    screenings: list[Screening]
    next: str | None = Field(description="cursor of the next page; null: this is the last")
