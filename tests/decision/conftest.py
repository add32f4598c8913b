"""The shipped rule base with its engines, made once for each worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eligibility.decision.decide import Decider
from eligibility.rulefiles import load_rules


@pytest.fixture(scope="session")
def decider() -> Iterator[Decider]:
    made = Decider(load_rules())
    yield made
    made.close()
