"""How the service is set up from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvicorn

from eligibility.api import app as module
from eligibility.errors import MalformedInput, RulebaseError
from eligibility.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        variable = f"ELIGIBILITY_{name.upper()}"
        monkeypatch.setenv(variable, "")  # so that what a test sets is undone afterwards
        monkeypatch.delenv(variable)


def test_defaults_listen_to_this_machine_only() -> None:
    found = read_settings()
    assert (found.host, found.port, found.engine) == ("127.0.0.1", 8000, "verified")


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELIGIBILITY_PORT", "9001")
    monkeypatch.setenv("ELIGIBILITY_ENGINE", "native")
    found = read_settings(port=9002, engine=None)
    assert (found.port, found.engine) == (9002, "native")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "many"), ("PORT", "70000"), ("ENGINE", "steam"), ("MAX_BODY_BYTES", "1")],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ELIGIBILITY_{name}", value)
    with pytest.raises(MalformedInput) as error:
        read_settings()
    (problem,) = error.value.problems
    assert (problem.code, problem.place) == ("bad_setting", f"ELIGIBILITY_{name}")


def test_the_environment_names_the_rule_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ELIGIBILITY_RULES", str(tmp_path / "nowhere"))
    with pytest.raises(RulebaseError):
        module.app_from_environment()


def test_many_workers_are_told_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker builds its own application, from the environment."""
    started: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: started.append((app, options)))
    monkeypatch.setenv("ELIGIBILITY_ENGINE", "verified")
    module.run(Settings(engine="native", port=9003), workers=2)
    ((target, options),) = started
    assert target == "eligibility.api.app:app_from_environment"
    assert options["factory"] is True
    assert options["workers"] == 2
    assert read_settings().engine == "native"
    assert read_settings().port == 9003
