"""Property tests explore on a developer's machine and repeat exactly in CI."""

import os
import tempfile

from hypothesis import HealthCheck, settings

# Every process of the tests has records of its own, away from those of whoever runs them.
os.environ["ELIGIBILITY_DATA_DIR"] = tempfile.mkdtemp(prefix="eligibility-tests-")

# How busy the machine is fails no test.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", untimed)
settings.register_profile("ci", untimed, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Steps of the scenarios beside those in scenarios/conftest.py.
pytest_plugins = [
    "scenarios.follow_up_steps",
    "scenarios.record_steps",
    "scenarios.receiving_steps",
    "scenarios.supervision_steps",
    "scenarios.docket_steps",
    "scenarios.version_steps",
    "scenarios.plan_steps",
    "scenarios.difference_steps",
]
