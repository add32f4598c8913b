"""The calendar of a court, read back as a calendar program reads it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from eligibility.render.calendar_feed import feed
from render.cases import Entry, Followed

NOW = datetime(2024, 11, 20, 8, 30, tzinfo=UTC)
HOSTILE = [
    "a\r\nEND:VEVENT\r\nBEGIN:VEVENT",
    "a;b,c:d\\n\\\\;VALUE=DATE",
    "x\x00\x0b\x0c\x1b\x85\u2028\u2029y",
    "\ud800\u202e",
    "长" * 3000,
    '"quoted" ^n',
]


def rows(followed: Followed, on: str) -> list[Entry]:
    """The rows of the ledger about one case."""
    found, _ = followed.follow_ups.duties(
        date.fromisoformat(on), NOW, limit=500, case_no=followed.case["case_no"]
    )
    return found


def events(written: bytes) -> dict[str, Any]:
    calendar = Calendar.from_ical(written)
    assert calendar.errors == []
    found = calendar.walk("VEVENT")
    assert all(event.errors == [] for event in found)
    return {str(event["uid"]): event for event in found}


@pytest.fixture(scope="module")
def entries(designated: Followed, urged: Followed) -> list[Entry]:
    """Duties in every state."""
    made = [*rows(designated, "2024-10-05"), *rows(urged, "2024-11-25")]
    assert {e["state"] for e in made} >= {"open", "lapsed", "done", "waiting"}
    late = deepcopy(next(e for e in made if e["state"] == "lapsed"))
    label = {"zh": "已逾期", "en": "overdue"}
    return [*made, late | {"id": "late", "state": "overdue", "state_label": label}]


def test_one_event_for_each_duty_still_to_be_done(entries: list[Entry]) -> None:
    found = events(feed("某院", entries, NOW))
    running = [e for e in entries if e["state"] in ("open", "overdue", "lapsed")]
    assert set(found) == {f"{e['id']}@eligibility" for e in running}
    assert len(running) < len(entries)
    for entry in running:
        day = found[f"{entry['id']}@eligibility"]["dtstart"].dt
        assert type(day) is date
        assert day.isoformat() == entry["due"]


def test_an_event_says_who_what_and_why(entries: list[Entry]) -> None:
    entry = next(e for e in entries if e["rule"] == "XR-04" and e["due"])
    event = events(feed("某院", entries, NOW))[f"{entry['id']}@eligibility"]
    summary = "【期限内】（2024）苏0902执1号 移送电子卷、执行依据、财产清单、查控手续、案款…"
    assert event["summary"] == summary
    told = str(event["description"])
    for text in (
        "原执行法院 盐城市亭湖区人民法院",
        "期限：2024-10-08（自 2024-09-21 10 日，届满日顺延 2024-10-01 节假日",
        "规则：XR-04 案件与材料移送〔公开报道〕",
        "其中属于建议：移送与补齐的日数",
        "依据：S56、L40、P24",
        "逾期措施：2024-10-09 系统提醒；2024-10-18 执行监督函；2024-11-07 再次执行监督函并通报",
    ):
        assert text in told
    assert event["categories"].cats == ["期限内", "open"]
    assert event["status"] == "CONFIRMED"
    assert event["transp"] == "TRANSPARENT"


def test_a_proposal_is_not_called_law(entries: list[Entry]) -> None:
    entry = deepcopy(next(e for e in entries if e["due"] and e["state"] == "open"))
    entry["basis"] = "proposed"
    (event,) = events(feed("某院", [entry], NOW)).values()
    assert "〔建议，不是法律规定〕" in event["description"]


def test_steps_that_are_reached_are_marked(entries: list[Entry]) -> None:
    entry = next(e for e in entries if e["rule"] == "XR-03" and e["state"] == "lapsed")
    event = events(feed("某院", entries, NOW))[f"{entry['id']}@eligibility"]
    assert event["summary"].startswith("【逾期未完成】（2024）苏0902执88号 ")
    assert (
        "2024-11-23 执行监督函（已到）；2024-12-03 提级或者指令执行裁定；" in event["description"]
    )


def test_open_duties_ring_three_days_before(entries: list[Entry]) -> None:
    for event in events(feed("某院", entries, NOW)).values():
        alarms = event.walk("VALARM")
        assert len(alarms) == ("open" in event["categories"].cats)
        for alarm in alarms:
            assert alarm["trigger"].dt == timedelta(days=-3)
            assert alarm["action"] == "DISPLAY"


@pytest.mark.parametrize("change", ["provisional", "assumes"])
def test_a_date_that_may_change_is_tentative(entries: list[Entry], change: str) -> None:
    entry = deepcopy(next(e for e in entries if e["state"] == "open" and e["due"]))
    entry.pop("assumes", None)
    entry["due_trail"]["provisional"] = change == "provisional"
    if change == "assumes":
        entry["assumes"] = {"decided_mode": "urge", "label": {"zh": "督促执行", "en": "urge"}}
    (event,) = events(feed("某院", [entry], NOW)).values()
    assert event["status"] == "TENTATIVE"


def test_the_calendar_names_itself() -> None:
    label = {"zh": "阜宁县人民法院", "en": "Funing"}
    calendar: Any = Calendar.from_ical(feed(label, [], NOW))
    assert calendar["x-wr-calname"] == "交叉执行后续义务 阜宁县人民法院"
    assert calendar["method"] == "PUBLISH"
    assert calendar["version"] == "2.0"
    assert calendar["prodid"]
    assert calendar["refresh-interval"].dt == timedelta(hours=12)


def test_two_feeds_differ_in_the_time_only(entries: list[Entry]) -> None:
    """INVARIANT: neither the order of the rows nor the time changes anything but DTSTAMP."""
    here = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    first = feed("某院", entries, NOW).split(b"\r\n")
    second = feed("某院", reversed(entries), here).split(b"\r\n")
    assert len(first) == len(second)
    changed = {(a, b) for a, b in zip(first, second, strict=True) if a != b}
    assert changed == {(b"DTSTAMP:20241120T083000Z", b"DTSTAMP:20241231T160000Z")}


def test_a_duty_keeps_its_name_when_its_state_changes(designated: Followed) -> None:
    early, late = (rows(designated, day) for day in ("2024-10-05", "2024-10-20"))
    before, after = events(feed("某院", early, NOW)), events(feed("某院", late, NOW))
    assert before.keys() == after.keys()
    assert {e["categories"].cats[1] for e in before.values()} == {"open"}
    assert "lapsed" in {e["categories"].cats[1] for e in after.values()}


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        feed("某院", [], datetime(2024, 11, 20))  # noqa: DTZ001


Writer = Callable[[str], bytes]


@pytest.fixture(scope="module")
def writer(entries: list[Entry]) -> Writer:
    """Writes the feed of one duty in which every text that people write is one word."""
    found = next(e for e in entries if e["rule"] == "XR-04" and e["due"])

    def write(word: str) -> bytes:
        label = {"zh": word, "en": word}
        entry = found | {"case_no": word, "what": label, "title": label, "citations": [word]}
        entry["who"] = entry["who"] | {"court": {"id": None, "label": label}}
        return feed(word, [entry], NOW)

    return write


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_break_no_line(writer: Writer, text: str) -> None:
    check_hostile(writer, text)


@given(text=st.text(min_size=1))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_breaks_a_line(writer: Writer, text: str) -> None:
    """INVARIANT: whatever the texts hold, the lines of the feed are those of RFC 5545."""
    check_hostile(writer, text)


def check_hostile(writer: Writer, text: str) -> None:
    written = writer(text)
    assert names(written) == names(writer("甲"))
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    (event,) = events(written).values()
    assert event["dtstart"].dt == date(2024, 10, 8)
    if text.isprintable() and text == text.strip() and "  " not in text:
        assert text[:20] in event["summary"]


def names(written: bytes) -> list[bytes]:
    """The names of the properties, in order."""
    return [line.split(b":")[0].split(b";")[0] for line in unfolded(written)]


def unfolded(written: bytes) -> list[bytes]:
    """The content lines; nothing else may look like the end of a line."""
    text = written.replace(b"\r\n ", b"")
    assert b"\r" not in text.replace(b"\r\n", b"")
    assert len(text.decode().splitlines()) == len(text.split(b"\r\n")) - 1
    return text.split(b"\r\n")[:-1]
