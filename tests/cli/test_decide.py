"""``eligibility decide``: answers for people and programs, one line for bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.conftest import Run
from eligibility.rulefiles import shipped

RULES, EXAMPLES = shipped("rules"), sorted(shipped("examples").glob("*.yaml"))
CASE = """
title: 试验
source: S1
note: 供测试
case:
  case_no: （2024）苏0000执1号
  启动方式: 报请
  收到申请之日: 2024-01-15
  督促结果: 未督促
  既往交叉次数: 1
  障碍类型: [地方干预]
  debtors: [{破产状态: 无破产}]
  properties:
  - {控制之日: 2024-02-01}
  - {控制之日: 2024-03-01, 启动处置之日: 2024-03-10}
as_of: 2024-07-16
profile: city
"""


def test_a_decision_for_people(cli: Run) -> None:
    zh = cli("decide", "-", stdin=CASE)
    assert (zh.code, zh.err) == (0, "")
    for words in (
        "（2024）苏0000执1号 试验",
        "退回补正 (return_to_cure)",
        "某市 (city)",
        "2024-07-16",
    ):
        assert words in zh.out
    for words in ("起作用的限制", "建议", "补正：启动处置或写明理由", "可准予例外：执行局"):
        assert words in zh.out
    assert "「应当在三十日内启动」" in zh.out
    en = cli("decide", "-", "--lang", "en", stdin=CASE)
    for words in ("Bars in effect", "proposed", "Cure: start disposal or document why not"):
        assert words in en.out
    assert "起作用" not in en.out


def test_a_page_is_plain_text_of_bounded_width(cli: Run) -> None:
    out = cli("decide", "-", "--full", stdin=CASE).out
    assert "\x1b" not in out
    assert max(sum(2 if ord(c) > 0x2E80 else 1 for c in line) for line in out.splitlines()) <= 102
    assert all(line == line.rstrip() for line in out.splitlines())


def test_a_decision_for_programs(cli: Run) -> None:
    body = json.loads(cli("decide", "-", "--json", stdin=CASE).out)
    assert body["outcome"] == "return_to_cure"
    assert body["profile"] == "city"
    assert body["as_of"] == "2024-07-16"
    assert "sources" in json.loads(cli("decide", "-", "--json", "--full", stdin=CASE).out)


def test_options_decide_what_the_file_leaves_open(cli: Run) -> None:
    bare = CASE.replace("as_of: 2024-07-16\nprofile: city\n", "")
    ran = cli("decide", "-", "--json", "--as-of", "2024-08-01", "--profile", "national", stdin=bare)
    body = json.loads(ran.out)
    assert (body["as_of"], body["profile"]) == ("2024-08-01", "national")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--as-of", "2024-08-01"), "as_of_conflict"),
        (("--profile", "national"), "profile_conflict"),
        (("--as-of", "2024-07-16", "--profile", "city"), ""),
    ],
)
def test_the_options_and_the_file_must_agree(cli: Run, options: tuple[str, ...], code: str) -> None:
    ran = cli("decide", "-", *options, stdin=CASE)
    assert ran.code == (2 if code else 0)
    assert ran.err.partition(":")[0] == code
    assert ran.err.count("\n") == bool(code)


def test_a_case_may_name_the_rule_base_it_is_to_be_decided_by(cli: Run) -> None:
    digest = json.loads(cli("decide", "-", "--json", stdin=CASE).out)["rulebase"]["digest"]
    assert cli("decide", "-", stdin=CASE + f"rulebase: {digest}\n").code == 0
    assert cli("decide", "-", stdin=CASE + "rulebase: null\n").code == 0
    other = cli("decide", "-", stdin=CASE + "rulebase: sha256:0\n")
    assert (other.code, other.out) == (2, "")
    assert other.err.startswith("unknown_rulebase: -: rulebase: ")
    assert cli("decide", "-", stdin=CASE + "rulebase: 3\n").err.startswith("wrong_type: ")


@pytest.mark.parametrize("title", ["{zh: 甲案, en: Case A}", "甲案"])
def test_the_title_is_in_the_language_asked_for(cli: Run, title: str) -> None:
    text = CASE.replace("试验", title)
    for lang, word in (("zh", "甲案"), ("en", "Case A" if title.startswith("{") else "甲案")):
        first = cli("decide", "-", "--lang", lang, stdin=text).out.splitlines()[0]
        assert first.endswith(f"（2024）苏0000执1号 {word}")
    facts = f'{{"督促结果": "未督促", "title": {{"zh": "甲案", "en": "A"}}, "source": "{title}"}}'
    assert "A" in cli("decide", "-", "--lang", "en", stdin=facts).out.splitlines()[0]


def test_a_warning_has_a_place_only_where_the_reader_wrote_something(cli: Run) -> None:
    out = cli("decide", "-", stdin=CASE).out
    assert "! 本辖区采纳的建议性规则" in out
    assert "rules: " not in out
    facts = "overrides: [{bar: XB-09}]"
    lifted = cli("decide", "-", "--rules", str(RULES), "--profile", "js-yancheng", stdin=facts)
    assert "! overrides[0]: " in lifted.out


def test_an_override_is_shown_with_its_body_reason_and_paper(cli: Run) -> None:
    example = next(p for p in EXAMPLES if p.name.startswith("c01b")).read_text("utf-8")
    granted = "{bar: XB-09, body: 决定法院执行局, reason: 另有安排, doc_no: （2024）9号}"
    text = example.rstrip() + f"\n  overrides: [{granted}]\n"
    out = cli("decide", "-", "--rules", str(RULES), stdin=text).out
    assert "准予例外：决定法院执行局、文号：（2024）9号、理由：另有安排" in out


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_shown_in_full(cli: Run, path: Path, lang: str) -> None:
    for options in ((), ("--full",)):
        ran = cli("decide", str(path), "--rules", str(RULES), "--lang", lang, *options)
        assert (ran.code, ran.err) == (0, "")
        assert "{" not in ran.out
        assert "taken as (none)" not in ran.out


@pytest.mark.parametrize(
    "text",
    [
        '{"督促结果": "期满未完结"}',
        '{"case": {"urge_result": "lapsed"}, "profile": null}',
        "urge_result: lapsed",
        "\ufeffurge_result: lapsed",
    ],
)
def test_the_file_may_be_the_facts(cli: Run, text: str) -> None:
    body = json.loads(cli("decide", "-", "--json", stdin=text).out)
    assert "mandatory_transfer" in body["possible_outcomes"]


def test_several_files(cli: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "a.yaml", tmp_path / "b.json"
    one.write_text(CASE, encoding="utf-8")
    two.write_text('{"督促结果": "未督促"}', encoding="utf-8")
    ran = cli("decide", str(one), str(two))
    assert ran.code == 0
    assert ran.out.count("规则库") == 2
    assert len(json.loads(cli("decide", str(one), str(two), "--json").out)) == 2


def test_a_bad_file_does_not_withhold_the_answers_on_others(cli: Run, tmp_path: Path) -> None:
    names = []
    for number, text in enumerate(("amuont: 1", CASE, "a: [", CASE)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        names.append(str(path))
    ran = cli("decide", *names)
    assert (ran.code, ran.out.count("规则库")) == (2, 2)
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["unknown_fact", "yaml_syntax"]
    assert not ran.out.startswith("\n")
    answers = json.loads(cli("decide", *names, "--json").out)
    assert [answer is None for answer in answers] == [True, False, True, False]


DEEP = 100_000
BAD = {
    "nothing": (" \n", "empty_file"),
    "a list": ("[1, 2]", "wrong_type"),
    "a number": ("3", "wrong_type"),
    "unknown fact": ('{"urge_resalt": "lapsed"}', "unknown_fact"),
    "unknown value": ('{"urge_result": "lapse"}', "unknown_value"),
    "wrong types": ('{"interference": "maybe", "crossings": "2", "amount": []}', "wrong_type"),
    "a long string": (json.dumps({"case_no": "长" * 1_000_000}), "text_too_long"),
    "a long key": (json.dumps({"k" * 1_000_000: 1}), "unknown_fact"),
    "a long value": (json.dumps({"urge_result": "v" * 1_000_000}), "unknown_value"),
    "deep JSON": ('{"a":' + "[" * DEEP + "]" * DEEP + "}", "too_deep"),
    "deep YAML": ("a: " + "[" * DEEP + "]" * DEEP, "too_deep"),
    "deep block YAML": ("a:\n" + "".join(" " * i + "-\n" for i in range(1, 500)), "too_deep"),
    "many dashes": ("- " * DEEP + "x", "too_deep"),
    "NaN": ('{"amount": NaN}', "not_a_number"),
    "YAML NaN": ("amount: .nan", "wrong_type"),
    "infinity": ('{"amount": 1e400}', "out_of_range"),
    "too large": ('{"amount": 1' + "0" * 30 + "}", "out_of_range"),
    "a long number": ('{"amount": ' + "9" * 5_000 + "}", "number_too_long"),
    "three decimals": ('{"amount": 1.005}', "wrong_type"),
    "a lone surrogate": ('{"case_no": "\\ud800"}', "lone_surrogate"),
    "a surrogate key": ('{"\\udfff": 1}', "lone_surrogate"),
    "a duplicate key": ('{"amount": 1, "amount": 2}', "duplicate_key"),
    "a duplicate YAML key": ("amount: 1\namount: 2", "duplicate_key"),
    "the same fact twice": ('{"amount": 1, "未执行金额": 2}', "duplicate_fact"),
    "an alias": ("a: &x 1\nb: *x", "yaml_alias"),
    "a tag": ("a: !!python/object:os.system x", "yaml_tag"),
    "broken JSON": ('{"a": ', "json_syntax"),
    "broken YAML": ("a: [1", "yaml_syntax"),
    "control characters": ("a: \x00\x07", "yaml_syntax"),
    "no such date": ("received_date: 2024-02-30", "no_such_date"),
    "an event to come": ('{"received_date": "2098-01-01"}', "future_event"),
    "unknown request key": ('{"case": {}, "profle": "city"}', "unknown_key"),
    "profile of wrong type": ('{"case": {}, "profile": 3}', "wrong_type"),
    "no such profile": ('{"case": {}, "profile": "town"}', "unknown_profile"),
    "as_of of wrong type": ('{"case": {}, "as_of": [1]}', "bad_date"),
    "as_of not a date": ('{"case": {}, "as_of": "soon"}', "bad_date"),
    "facts that contradict": (
        '{"controlled_date": "none", "started_date": "2024-01-01"}',
        "impossible_combination",
    ),
}


@pytest.mark.parametrize(("text", "code"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("options", [(), ("--json", "--lang", "en")], ids=["zh", "json"])
def test_bad_input_is_one_line_and_exit_two(
    cli: Run, text: str, code: str, options: tuple[str, ...]
) -> None:
    ran = cli("decide", "-", *options, stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"{code}: ")
    assert len(ran.err) < 1_200
    assert ran.err.isprintable() or ran.err[:-1].isprintable()


def test_bytes_that_are_not_text(cli: Run, tmp_path: Path) -> None:
    assert cli("decide", "-", stdin=b"\xff\xfe{}").err.startswith("not_utf8: ")
    assert cli("decide", str(tmp_path / "none.yaml")).err.startswith("cannot_read: ")
    assert cli("decide", str(tmp_path)).err.startswith("cannot_read: ")
    assert cli("decide", "a\0b").err.startswith("cannot_read: ")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 16_000_001)
    assert cli("decide", str(large)).err.startswith("too_large: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("decide",), "usage"),
        (("decide", "-", "--lang", "fr"), "usage"),
        (("decide", "-", "--nothing"), "usage"),
        (("decide", "-", "--engine", "magic"), "unknown_engine"),
        (("decide", "-", "--as-of", "yesterday"), "bad_date"),
        (("decide", "-", "--as-of", "2024-02-30"), "bad_date"),
        (("decide", "-", "--rules", "nowhere"), "no_rulebase"),
        (("nothing",), "usage"),
        (("rules",), "usage"),
        (("rules", "show", "B-9"), "unknown_rule"),
        (("rules", "show", "B-2", "--circuit", "--profile", "town"), "unknown_profile"),
        (("rules", "show", "B-2", "--circuit", "--profile", "national"), "no_circuit"),
        (("sources", "L9"), "unknown_source"),
        (("facts", "--schema", "--form"), "usage"),
        (("check", "nowhere"), "no_rulebase"),
        (("fmt", "nowhere"), "no_rulebase"),
        (("calendar", "write", "--from", "2025", "--to", "2024", "-o", "x"), "usage"),
        (("fmt",), "usage"),
        (("fmt", "a", "--rules", "b"), "usage"),
        (("serve", "--port", "99999"), "usage"),
        (("serve", "--host", "0.0.0.0"), "auth_none_needs_loopback"),
        (("serve", "--host", "::"), "auth_none_needs_loopback"),
        (("serve", "--host", "example.org"), "auth_none_needs_loopback"),
    ],
)
def test_bad_usage_is_one_line_and_exit_two(
    cli: Run, arguments: tuple[str, ...], code: str
) -> None:
    ran = cli(*arguments, stdin="{}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"{code}: ")
    assert re.search("[\u4e00-\u9fff].* / ", ran.err)
    assert not re.search("Value error|Input should", ran.err)
