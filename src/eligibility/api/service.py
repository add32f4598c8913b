"""What the routes share: the rule base in force, its decider, and how requests are bounded."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from eligibility.api.models import decision_request
from eligibility.api.requests import DecisionInput
from eligibility.decision.decide import Decider
from eligibility.errors import NotFound, Problem, Text
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings


class Service:
    """One rule base ready to decide."""

    def __init__(self, rulebase: Rulebase, settings: Settings) -> None:
        self.rulebase = rulebase
        self.settings = settings
        self.decider = Decider(rulebase)
        self.request_shape: type[BaseModel] = decision_request(rulebase.vocabulary)

    def decide(self, asked: DecisionInput, full: bool) -> dict[str, Any]:
        """The decision asked for, by today's date where none is given."""
        self.check_digest(asked.rulebase)
        return self.decider.decide(
            asked.case,
            today=local_today(),
            as_of=asked.as_of,
            profile=asked.profile,
            engine=self.settings.engine,
            full=full,
        )

    def warm_up(self) -> None:
        """Compile every profile, so that no request waits for it."""
        for profile in self.rulebase.profiles:
            self.decider.decide(
                {}, today=local_today(), profile=profile, engine=self.settings.engine
            )

    def check_digest(self, digest: str | None) -> None:
        """Refuse to decide by another rule base than the one asked for."""
        if digest is None or digest == self.rulebase.digest:
            return
        text = Text(
            f"未载入该规则库，现行规则库为 {self.rulebase.digest}",
            f"that rule base is not loaded; in force is {self.rulebase.digest}",
        )
        known = (self.rulebase.digest,)
        raise NotFound(Problem("unknown_rulebase", text, "rulebase", allowed=known))

    def close(self) -> None:
        self.decider.close()


def local_today() -> date:
    """The day it is where the service runs: the clock is read at the edge only."""
    return datetime.now().astimezone().date()
