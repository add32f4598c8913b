"""The followed cases, each recorded once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from decision.follow_ups import CASE, decider
from eligibility.rulebase.model import Rulebase
from render.cases import BARRED, DESIGNATED_EVENTS, URGED, URGED_EVENTS, Followed


@pytest.fixture(scope="session")
def base() -> Rulebase:
    return decider().rulebase


@pytest.fixture(scope="session")
def designated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Sent from 亭湖 to 阜宁; not handed over. The last day of that is 2024-10-08."""
    made = Followed(tmp_path_factory.mktemp("a"), CASE, "js-yancheng", DESIGNATED_EVENTS)
    yield made
    made.follow_ups.database.close()


@pytest.fixture(scope="session")
def urged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Urged on 2024-09-13 until 2024-11-08; no reasons given by 2024-11-13."""
    made = Followed(tmp_path_factory.mktemp("b"), URGED, "js-yancheng", URGED_EVENTS)
    yield made
    made.follow_ups.database.close()


@pytest.fixture(scope="session")
def barred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Returned to be cured: disposal was not started."""
    made = Followed(tmp_path_factory.mktemp("c"), BARRED, "js-yancheng", ())
    yield made
    made.follow_ups.database.close()
