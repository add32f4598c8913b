"""The wheel works away from the checkout, with the rule base it carries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    dist, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("target")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), cwd=ROOT)
    (wheel,) = dist.glob("*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--target", str(target)]
    run("-m", "pip", "install", *options, str(wheel), cwd=dist)
    return target


@pytest.fixture
def outside(installed: Path) -> dict[str, str]:
    """An environment in which the wheel comes before the checkout."""
    env = {k: v for k, v in os.environ.items() if not k.upper().startswith("ELIGIBILITY")}
    return env | {"PYTHONPATH": str(installed), "PYTHONUTF8": "1"}


def test_the_wheel_carries_the_rules_and_examples(installed: Path) -> None:
    for folder, shipped in (("rules", "_rules"), ("examples", "_examples")):
        expected = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*.yaml")}
        there = installed / "eligibility" / shipped
        assert expected
        assert {p.relative_to(there) for p in there.rglob("*.yaml")} == expected


def test_the_shipped_rules_are_found(
    installed: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    where = run("-c", "import eligibility; print(eligibility.__file__)", cwd=tmp_path, env=outside)
    assert Path(where.strip()).is_relative_to(installed)
    listed = run("-m", "eligibility", "rules", "list", "--json", cwd=tmp_path, env=outside)
    assert "XQ-04" in json.dumps(json.loads(listed))


def test_a_case_is_followed_with_the_wheel_alone(outside: dict[str, str], tmp_path: Path) -> None:
    case, database = "case.json", ["--database", "records.db"]
    (tmp_path / case).write_text(json.dumps({"case_no": "1", "court_id": "亭湖法院"}), "utf-8")
    (tmp_path / "events.csv").write_text("案号,事件,日期\n1,收到申请或报请,2024-09-02\n", "utf-8")
    command = ["-m", "eligibility"]
    run(*command, "decide", case, "--as-of", "2024-09-02", *database, cwd=tmp_path, env=outside)
    run(*command, "events", "add", "events.csv", *database, cwd=tmp_path, env=outside)
    shown = ["follow-ups", "list", "--as-of", "2024-09-19", "--json", *database]
    (duty,) = json.loads(run(*command, *shown, cwd=tmp_path, env=outside))
    assert (duty["rule"], duty["due"], duty["state"]) == ("XR-01", "2024-09-18", "overdue")
