"""The shipped rule base, loaded once for each worker."""

from __future__ import annotations

import pytest

from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules


@pytest.fixture(scope="session")
def shipped() -> Rulebase:
    return load_rules()
