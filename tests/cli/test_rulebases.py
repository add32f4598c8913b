"""``rulebase``: publish, list, activate, rollback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eligibility.cli import run
from rulebase.rulebases import base_texts


@pytest.fixture(name="folders")
def fixture_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two versions of the small rule base; the first is the one served."""
    made = []
    for number in ("1", "2"):
        for name, text in base_texts().items():
            path = tmp_path / number / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace('version: "test"', f'version: "{number}"'), "utf-8")
        made.append(str(tmp_path / number))
    monkeypatch.setenv("ELIGIBILITY_RULES", made[0])
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", f"sqlite:///{tmp_path}/r.db")
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "k" * 40)
    return made


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, bool, list[str]]]:
    capsys.readouterr()
    assert run(["rulebase", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["rulebases"]
    return {
        r["version"]: (r["digest"], r["in_force"], [s["from"] for s in r["effective"]])
        for r in found
    }


def test_from_publishing_to_taking_back(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rulebase", "publish", folders[1]]) == 0
    assert run(["rulebase", "publish", folders[1]]) == 0
    digest, in_force, since = listed(capsys)["2"]
    assert (in_force, since) == (False, [])
    assert run(["rulebase", "activate", digest[7:19], "--from", "2026-03-01"]) == 0
    found = listed(capsys)
    assert found["2"] == (digest, True, ["2026-03-01"])
    assert found["1"][1] is False
    assert run(["rulebase", "rollback", "--note", "x"]) == 0
    assert listed(capsys)["1"][1] is True
    assert run(["rulebase", "rollback"]) == 2
    assert capsys.readouterr().err.startswith("nothing_to_roll_back")


def test_what_is_refused(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for folder in folders:
        assert run(["rulebase", "publish", folder]) == 0
    for arguments, code in (
        (["activate", "sha256:"], "ambiguous_digest"),
        (["activate", "nothing"], "unknown_rulebase"),
        (["activate", "sha256:", "--from", "soon"], "bad_date"),
        (["publish", folders[0] + "/none"], "no_rulebase"),
    ):
        capsys.readouterr()
        assert run(["rulebase", *arguments]) == 2
        assert capsys.readouterr().err.startswith(code)
