"""Tables and lines that can be read in two ways, or not at all, are refused where they stand."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from cli.test_following import CASE_NO, EVENTS, Followed, followed
from eligibility.docket.files import read_cases
from eligibility.errors import EligibilityError, MalformedInput
from eligibility.records.follow_up import FollowUps
from eligibility.rulefiles import load_rules

__all__ = ["followed"]
VOCABULARY = load_rules().vocabulary


def rows(text: str, name: str = "t.csv") -> list[tuple[str, Any]]:
    return list(read_cases(name, text, VOCABULARY))


def code_of(read: Any) -> str:
    assert isinstance(read, EligibilityError), read
    return read.problems[0].code


def test_a_cell_beyond_the_headings_is_named_and_stops_no_other() -> None:
    (place, bad), (_, good) = rows("执行案号,备注\n1,a,b\n2,,,\n")
    assert (place, code_of(bad)) == ("t.csv:2", "cell_without_heading")
    assert bad.problems[0].place == "t.csv:2"
    assert good == {"执行案号": "2"}
    ((_, blank),) = rows("执行案号,,\n1,,x\n")
    assert code_of(blank) == "cell_without_heading"


def test_a_heading_stands_once() -> None:
    with pytest.raises(MalformedInput) as found:
        rows("执行案号,障碍类型,障碍类型\n1,涉众,人案矛盾\n")
    assert code_of(found.value) == "duplicate_heading"
    assert "障碍类型" in found.value.problems[0].message.zh


def test_a_cell_too_long_to_read_is_named() -> None:
    (first, second) = rows("执行案号,备注\n1,a\n2," + "x" * 131_073 + "\n")
    assert first[1] == {"执行案号": "1", "备注": "a"}
    assert (second[0], code_of(second[1])) == ("t.csv:3", "bad_table")
    with pytest.raises(MalformedInput) as found:
        rows("x" * 131_073 + "\n1\n")
    assert code_of(found.value) == "bad_table"


def test_lines_of_json_end_at_line_feeds_only() -> None:
    found = rows('{"执行案号": "1\u2028\u0085"}\r\n\n{"执行案号": "2"}\n', "t.ndjson")
    assert found == [
        ("t.ndjson:1", {"执行案号": "1\u2028\u0085"}),
        ("t.ndjson:3", {"执行案号": "2"}),
    ]


@pytest.mark.parametrize("text", ["1e999999", "1e2", "NaN", "1_000", "Infinity", "9" * 5_000])
def test_a_number_is_written_plainly(text: str) -> None:
    ((_, case),) = rows(f"在账未发放案款\n{text}\n")
    assert case == {"在账未发放案款": text}


@pytest.mark.parametrize("text", ["1e999999", "1e2", "1.0", "-1", "²", "9" * 5_000])
def test_the_place_of_a_property_is_a_whole_number(followed: Followed, text: str) -> None:
    table = f"案号,事件,日期,财产\n{CASE_NO},评估启动,2024-09-20,{text}\n"
    told = followed("events", "add", followed.file("e.csv", table), code=2)
    assert "property" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("heading", "cell"),
    [("decided_mode", "designate"), ("执行案号", CASE_NO), ("type", "served")],
)
def test_a_field_stands_under_one_heading(followed: Followed, heading: str, cell: str) -> None:
    header, first, *_ = EVENTS.splitlines()
    table = f"{header},{heading}\n{first},{cell}\n"
    name = followed.file("e.csv", table)
    told = followed("events", "add", name, code=2)
    assert told.startswith("duplicate_fact")
    assert f"{name}:2" in told
    assert heading in told


def test_events_under_names_that_cannot_be_kept_are_refused(followed: Followed) -> None:
    line = '{"case_no": "1\\u0000", "type": "served", "on": "2024-09-20"}\n'
    assert "control_character" in followed("events", "add", followed.file("e.ndjson", line), code=2)


def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page of the ledger hold two rows, whatever is asked for."""
    whole = FollowUps.duties

    def duties(self: FollowUps, as_of: date, now: datetime, *, limit: int, **wanted: Any) -> Any:
        return whole(self, as_of, now, limit=min(limit, 2), **wanted)

    monkeypatch.setattr(FollowUps, "duties", duties)


def test_the_ledger_is_listed_to_its_last_row(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed("events", "add", followed.file("events.csv", EVENTS))
    whole = followed.json("follow-ups", "list", "--as-of", "2024-10-31")
    calendar = followed("follow-ups", "calendar", "--court", "盐城中院")
    two_at_a_time(monkeypatch)
    assert len(whole) > 4
    assert followed.json("follow-ups", "list", "--as-of", "2024-10-31") == whole
    paged = followed("follow-ups", "calendar", "--court", "盐城中院")
    assert paged.count("BEGIN:VEVENT") == calendar.count("BEGIN:VEVENT")


@pytest.mark.parametrize(
    "command",
    [
        ("follow-ups", "list"),
        ("follow-ups", "show", CASE_NO),
        ("follow-ups", "calendar", "--court", "盐城中院"),
        ("follow-ups", "notice", "urge_order", CASE_NO),
        ("supervise", "盐城中院", "--period", "2024"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_reading_makes_no_database(
    cli: Run, tmp_path: Path, command: tuple[str, ...], form: str
) -> None:
    path = tmp_path / "typo.db"
    done = cli(*command, "--database", form.format(path))
    assert done.code == 2
    assert done.err.startswith("no_database")
    assert str(path) in done.err
    assert not path.exists()


def test_recording_makes_the_database(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    event = tmp_path / "e.yaml"
    event.write_text("{case_no: '1', type: served, on: 2024-09-20}", encoding="utf-8")
    cli("events", "add", str(event), "--database", str(path))
    assert path.exists()
