"""How the service is set up from outside."""

from __future__ import annotations

import os
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


KEY, URL = "k" * 64, "postgresql://eligibility:hush-hush@db/eligibility"


@pytest.fixture(name="secrets")
def fixture_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "eligibility_log_key").write_text(f"{KEY}\n", "utf-8")
    (tmp_path / "eligibility_database_url").write_text(f"{URL}\n", "utf-8")
    (tmp_path / "postgres_password").write_text("of another program\n", "utf-8")
    monkeypatch.setenv("ELIGIBILITY_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_secrets_are_read_from_files(secrets: Path) -> None:
    found = read_settings()
    assert (found.log_key, found.database_url) == (KEY, URL)
    assert "hush" not in repr(found)
    assert KEY not in repr(found)


def test_the_environment_goes_before_the_files(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "e" * 64)
    assert read_settings().log_key == "e" * 64
    assert read_settings(log_key="g" * 64).log_key == "g" * 64


def test_secrets_stay_out_of_the_environment_of_workers(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: seen.append(dict(os.environ)))
    module.run(read_settings(engine="native"), workers=2)
    (environment,) = seen
    assert environment["ELIGIBILITY_ENGINE"] == "native"
    assert environment["ELIGIBILITY_SECRETS_DIR"] == str(secrets)
    assert not [name for name, value in environment.items() if KEY in value or "hush" in value]
    assert read_settings().log_key == KEY


def test_workers_are_not_started_with_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: pytest.fail("started"))
    with pytest.raises(MalformedInput) as error:
        module.run(Settings(database_url=URL), workers=2)
    (problem,) = error.value.problems
    assert "ELIGIBILITY_DATABASE_URL" in problem.place
    assert "hush" not in problem.line()


@pytest.mark.parametrize("fault", ["missing folder", "empty", "misspelt", "outside", "folder"])
def test_a_secret_that_cannot_be_used_is_not_passed_over(
    secrets: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    fault: str,
) -> None:
    """The service would start with a new key, or on a new database."""
    file = secrets / "eligibility_log_key"
    file.unlink()
    if fault == "missing folder":
        file = secrets / "nowhere"
        monkeypatch.setenv("ELIGIBILITY_SECRETS_DIR", str(file))
    elif fault == "empty":
        file.write_text("\n", "utf-8")
    elif fault == "misspelt":
        file = secrets / "eligibility_logkey"
        file.write_text(KEY, "utf-8")
    elif fault == "outside":
        other = tmp_path_factory.mktemp("other") / "key"
        other.write_text(KEY, "utf-8")
        file.symlink_to(other)
    else:
        file.mkdir()
    with pytest.raises(MalformedInput) as error:
        read_settings()
    (problem,) = error.value.problems
    assert (problem.code, problem.place) == ("bad_setting", str(file))
