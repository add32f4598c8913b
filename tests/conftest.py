"""Property tests explore on a developer's machine and repeat exactly in CI."""

import os
import tempfile

from hypothesis import settings

# Every process of the tests has records of its own, away from those of whoever runs them.
os.environ["ELIGIBILITY_DATA_DIR"] = tempfile.mkdtemp(prefix="eligibility-tests-")

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Steps of the scenarios beside those in scenarios/conftest.py.
pytest_plugins = [
    "scenarios.follow_up_steps",
    "scenarios.receiving_steps",
    "scenarios.supervision_steps",
    "scenarios.plan_steps",
]
