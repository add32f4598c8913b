"""A brief answer is the whole one in brief; the law kept is the law of the day."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from eligibility.api.batch import in_brief
from eligibility.decision.decide import Decider
from eligibility.decision.law import Law
from eligibility.errors import FactsError
from eligibility.rulebase.model import Rulebase
from oracle.generate import DAYS, CaseWriter

PROFILES = ("national", "js-yancheng", "sc")

pytestmark = pytest.mark.slow


def test_a_brief_answer_is_the_whole_decision_in_brief(shipped: Rulebase) -> None:
    decider = Decider(shipped)
    decided = unsettled = 0
    for seed in range(150):
        day = DAYS[seed % len(DAYS)]
        payload = CaseWriter(shipped, Random(seed), day, usual=(0.9, 0.97)[seed % 2]).payload()
        profile = PROFILES[seed % len(PROFILES)]
        try:
            whole = decider.decide(payload, today=day, profile=profile)
        except FactsError:
            with pytest.raises(FactsError):
                decider.brief(payload, today=day, profile=profile)
            continue
        assert decider.brief(payload, today=day, profile=profile) == in_brief(whole)
        decided += 1
        unsettled += len(whole["possible_outcomes"]) > 1
    decider.close()
    assert decided > 50
    assert unsettled > 5


def test_the_law_kept_is_the_law_of_the_day(shipped: Rulebase) -> None:
    law = Law(shipped)
    days = [day + timedelta(days=k) for day in law.dates for k in (-1, 0, 1)]
    Random(1).shuffle(days)
    for day in days:
        for profile in shipped.profiles:
            in_force = {rule.id: rule for rule in shipped.rules_in_force(profile, day)}
            assert list(law.rules(profile, day).items()) == list(in_force.items())
            assert law.parameters(profile, day) == shipped.parameters_at(profile, day)
