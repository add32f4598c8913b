"""Every other command, in both languages and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import BASE, Run

READING = {
    "rules list": ("有财产而未启动处置", "property never put to disposal"),
    "rules list --profile city": ("裁量", "discretion"),
    "rules show B-2": ("除非 (任一财产)", "Unless (any property)"),
    "rules show B-2 --circuit": ("控制之日 距今超过", "controlled_date more than"),
    "rules show B-2 --dot": ("有正当理由 为 否", "justified is false"),
    "facts": ("未执行金额", "amount unpaid"),
    "sources": ("某法 第一条", "Some Act, art. 1"),
    "sources L1": ("应当在三十日内启动", "cited by: B-1"),
    "profiles": ("某市", "a city"),
}


@pytest.mark.parametrize("command", READING)
def test_reading_in_both_languages_and_as_json(cli: Run, command: str) -> None:
    words = READING[command]
    for lang, word in zip(("zh", "en"), words, strict=True):
        ran = cli(*command.split(), "--lang", lang)
        assert (ran.code, ran.err) == (0, "")
        assert word in ran.out
    assert json.loads(cli(*command.split(), "--json").out)


@pytest.mark.parametrize("command", ["facts --schema", "facts --example", "facts --form", "schema"])
def test_descriptions_are_json(cli: Run, command: str) -> None:
    assert json.loads(cli(*command.split()).out)


def test_the_example_case_can_be_decided(cli: Run) -> None:
    example = cli("facts", "--example").out
    assert cli("decide", "-", stdin=example).code == 0


def test_a_rule_out_of_force_is_not_listed_for_a_profile(cli: Run) -> None:
    assert "B-2" not in cli("rules", "list", "--profile", "national").out


def test_help_and_version(cli: Run) -> None:
    assert cli("--version").out.startswith("eligibility ")
    for arguments in ((), ("--help",), ("decide", "-h"), ("rules", "--help")):
        ran = cli(*arguments)
        assert (ran.code, ran.err) == (0, "")
        assert "eligibility" in ran.out


# --- check and fmt -----------------------------------------------------------------------------


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "rules"))


def test_check_says_what_is_wrong_and_exits_one(cli: Run, folder: Path) -> None:
    assert cli("check", str(folder)).code == 0
    (folder / "x.yaml").write_text("rules:\n- {id: X, kind: bra}\n", encoding="utf-8")
    ran = cli("check", str(folder))
    assert (ran.code, ran.err) == (1, "")
    lines = ran.out.splitlines()
    assert any(line.startswith("x.yaml:2:17: unknown_word: [X] ") for line in lines)
    assert "'bar'" in ran.out
    english = cli("check", str(folder), "--lang", "en").out
    assert english.isascii()
    report = json.loads(cli("check", "--rules", str(folder), "--json").out)
    assert not report["ok"]
    assert report["problems"][0]["path"].startswith("x.yaml:2:")


def test_a_rule_base_with_faults_decides_nothing(cli: Run, folder: Path) -> None:
    (folder / "x.yaml").write_text("rulez: []\n", encoding="utf-8")
    ran = cli("decide", "-", "--rules", str(folder), stdin="{}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("unknown_key: x.yaml:1:1: ")


def test_fmt_rewrites_files_and_says_which(cli: Run, folder: Path) -> None:
    before = cli("check", str(folder), "--json").out
    dry = cli("fmt", str(folder), "--lang", "en", "--check")
    assert (dry.code, "rules.yaml" in dry.out) == (1, True)
    assert "报请" not in (folder / "rules.yaml").read_text("utf-8")
    assert "条件" not in (folder / "rules.yaml").read_text("utf-8")
    assert cli("fmt", str(folder), "--lang", "zh").code == 0
    assert "条件:" in (folder / "rules.yaml").read_text("utf-8")
    assert cli("fmt", str(folder), "--lang", "zh", "--check").code == 0
    report = json.loads(cli("fmt", str(folder), "--lang", "en", "--json").out)
    assert "rules.yaml" in report["changed"]
    assert json.loads(cli("check", str(folder), "--json").out) == json.loads(before)


def test_the_holiday_table(cli: Run, tmp_path: Path) -> None:
    pytest.importorskip("holidays")
    ran = cli("calendar", "write", "--from", "2024", "--to", "2024", "-o", str(tmp_path))
    assert ran.code == 0
    assert "2024-10-01" in (tmp_path / "2024.yaml").read_text("utf-8")


# --- as a process ------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "eligibility"]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "sources"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_an_interrupt_is_quiet(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("eligibility.cli.deciding.read_file", interrupted)
    assert cli("decide", "-") == (130, "", "")


def test_a_terminal_without_chinese_still_gets_an_answer() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "ELIGIBILITY_RULES": str(BASE)}
    ran = subprocess.run(
        [*COMMAND, "rules", "list"], env=environment, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii()
