"""Every other command, in both languages and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import BASE, Run
from eligibility.rulefiles import load_rules, shipped

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


def test_fmt_says_that_broken_sentences_were_left_alone(cli: Run, folder: Path) -> None:
    rules = folder / "rules.yaml"
    broken = "- {id: X, kind: bar, when: 督促结果 差不多 未督促}"
    rules.write_text(rules.read_text("utf-8") + broken + "\n", encoding="utf-8")
    ran = cli("fmt", "--rules", str(folder), "--lang", "zh")
    assert ran.code == 0
    assert "读不懂的句子未改写" in ran.out
    assert "督促结果 差不多 未督促" in rules.read_text("utf-8")
    assert json.loads(cli("fmt", str(folder), "--json").out)["problems"]


def test_fmt_checks_but_never_rewrites_a_folder_that_was_not_named(
    cli: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELIGIBILITY_RULES", str(folder))
    before = (folder / "rules.yaml").read_bytes()
    assert cli("fmt", "--lang", "zh").err.startswith("usage: ")
    assert cli("fmt", "--lang", "zh", "--check").code == 1
    assert (folder / "rules.yaml").read_bytes() == before


def test_a_rule_is_shown_with_chinese_names_and_what_defeats_it(cli: Run) -> None:
    shown = cli("rules", "show", "XB-09", "--rules", str(shipped("rules"))).out
    for words in ("江苏盐城 (js-yancheng)", "启动处置之日: 视为成立", "备注（不参与判断）"):
        assert words in shown
    for code in ("court_report", "assume_true"):
        assert code not in shown
    base = load_rules(str(shipped("rules")))
    loser = next(r for r in base.rules.values() if r.defeats).defeats[0]
    row = cli("rules", "show", loser, "--rules", str(shipped("rules"))).out
    assert "被其优先" in row
    english = cli("rules", "show", "XB-09", "--lang", "en", "--rules", str(shipped("rules"))).out
    assert "court_report" in english


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [["rules", "list"], ["facts", "--json"], ["--version"]])
def test_output_that_cannot_be_written_is_one_line(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([*COMMAND, *command], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"cannot_write: ")
    assert ran.stderr.count(b"\n") == 1


def test_a_port_in_use_is_one_line(cli: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = cli("serve", "--port", str(taken.getsockname()[1]))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("cannot_listen: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "localhost"])
def test_this_computer_may_be_served(cli: Run, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("eligibility.cli.serving._free", lambda host, port: None)
    monkeypatch.setattr("eligibility.api.app.run", lambda found, workers: started.append(found))
    assert cli("serve", "--host", host).code == 0
    assert [settings.host for settings in started] == [host]


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
