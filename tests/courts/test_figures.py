"""Figures of a court and a period as callers send them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eligibility.courts.figures import Figures, contradictions, read_figures
from eligibility.courts.periods import parse_period
from eligibility.errors import FactsError, Problem, Text
from eligibility.rulebase.model import Rulebase

WHO = {"court": "js-yancheng", "period": "2025Q1"}


def faults(payload: Any, rulebase: Rulebase) -> dict[str, str]:
    """Code by place of every problem."""
    with pytest.raises(FactsError) as error:
        read_figures(payload, rulebase)
    return {str(problem.place): problem.code for problem in error.value.problems}


def test_keys_and_labels_are_read_alike(shipped: Rulebase) -> None:
    payload = {
        **WHO,
        "figures": {"q_reports": 12, "被退回/不予数": 5, "q_avg_flow_days": 12.5},
        "by_rule": {"XB-08": 3, "XB-09": None},
        "sources": {"本院报请数": "报请台账"},
        "notes": ["二次核对"],
    }
    assert read_figures(payload, shipped) == Figures(
        "js-yancheng",
        parse_period("2025Q1"),
        {"q_reports": 12, "q_reports_returned": 5, "q_avg_flow_days": Decimal("12.5")},
        {"XB-08": 3},
        {"q_reports": Text("报请台账", "报请台账")},
        (Text("二次核对", "二次核对"),),
    )


def test_null_and_left_out_are_unknown(shipped: Rulebase) -> None:
    read = read_figures({**WHO, "figures": {"q_reports": None}, "by_rule": None}, shipped)
    assert read.values == {}
    assert read.by_rule is None
    assert read_figures({**WHO, "by_rule": {}}, shipped).by_rule == {}


def test_every_misfit_is_named_with_its_path(shipped: Rulebase) -> None:
    payload = {
        "period": "2025Q9",
        "figures": {
            "q_report": 1,
            "q_reports": "12",
            "q_open": -1,
            "q_progressed": 2.5,
            "本院决定交叉案件数": 1,
            "q_decisions": 1,
        },
        "by_rule": {"XB-99": 1, "XB-08": True},
        "sources": {"q_open": 3},
        "notes": "二次核对",
        "figure": {},
    }
    assert faults(payload, shipped) == {
        "court": "missing_field",
        "period": "bad_period",
        "figure": "unknown_field",
        "figures.q_report": "unknown_fact",
        "figures.q_reports": "wrong_type",
        "figures.q_open": "out_of_range",
        "figures.q_progressed": "wrong_type",
        "figures.q_decisions": "duplicate_fact",
        "by_rule.XB-99": "unknown_rule",
        "by_rule.XB-08": "wrong_type",
        "sources.q_open": "wrong_type",
        "notes": "wrong_type",
    }


@pytest.mark.parametrize("payload", [None, [], "2025Q1", 3, {**WHO, "figures": []}])
def test_what_is_no_mapping_is_refused(shipped: Rulebase, payload: Any) -> None:
    assert set(faults(payload, shipped).values()) == {"wrong_type"}


@pytest.mark.parametrize("court", [None, ""])
def test_a_court_must_be_named(shipped: Rulebase, court: Any) -> None:
    assert faults({**WHO, "court": court}, shipped) == {"court": "missing_field"}


@pytest.mark.parametrize("court", [3, True, ["js-yancheng"], "\ud800", "院" * 5000])
def test_a_court_is_named_by_a_text(shipped: Rulebase, court: Any) -> None:
    assert set(faults({**WHO, "court": court}, shipped)) == {"court"}


def test_an_unknown_key_is_answered_with_the_nearest(shipped: Rulebase) -> None:
    with pytest.raises(FactsError) as error:
        read_figures({**WHO, "figures": {"本院报请件数": 1}, "by_rule": {"XB-081": 1}}, shipped)
    hints = [p.hint.zh if p.hint else "" for p in error.value.problems]
    assert "本院报请数" in hints[0]
    assert "XB-08" in hints[1]


def test_a_fact_of_a_case_is_no_figure(shipped: Rulebase) -> None:
    payload = {**WHO, "figures": {"returned_before": 1}}
    assert faults(payload, shipped) == {"figures.returned_before": "unknown_fact"}


@pytest.mark.parametrize(
    ("values", "by_rule", "place"),
    [
        ({"q_reports": 4, "q_reports_returned": 5}, {}, "figures.q_reports_returned"),
        ({"q_cross_cases_handled": 0, "q_progressed": 1}, {}, "figures.q_progressed"),
        ({"q_cross_cases_handled": 5, "q_leader_handled": 6}, {}, "figures.q_leader_handled"),
        ({"q_open": 1, "q_feedback_late": 2}, {}, "figures.q_feedback_late"),
        ({"q_reports_returned": 2}, {"XB-10": 3}, "by_rule.XB-10"),
    ],
)
def test_a_part_is_not_larger_than_its_whole(
    shipped: Rulebase, values: dict[str, int], by_rule: dict[str, int], place: str
) -> None:
    payload = {**WHO, "figures": values, "by_rule": by_rule}
    assert faults(payload, shipped) == {place: "contradictory_figures"}


def test_equal_parts_and_unknown_wholes_are_possible(shipped: Rulebase) -> None:
    for values in ({"q_reports": 5, "q_reports_returned": 5}, {"q_reports_returned": 5}):
        figures = Figures("某院", parse_period("2025"), values, {"XB-08": 5, "XB-09": 5})
        assert list(contradictions(figures, shipped)) == []


def test_too_many_faults_end_the_reading(shipped: Rulebase) -> None:
    found = faults({**WHO, "figures": {f"q_{i}": i for i in range(5000)}}, shipped)
    assert len(found) == 101
    assert found["figures"] == "too_many_problems"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2025Q1", "q_reports", "XB-08"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["q_reports", "本院报请数", "XB-08", "x", "\ud800"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
PARTS = ("court", "period", "figures", "by_rule", "sources", "notes", "other")


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(PARTS), JSON))
def test_any_payload_is_read_or_refused_with_places(
    shipped: Rulebase, payload: dict[str, Any]
) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        read = read_figures(payload, shipped)
    except FactsError as error:
        problems = error.problems
    else:
        assert read.court
        assert all(type(value) in (int, Decimal) for value in read.values.values())
        return
    places = {str(problem.place).split(".")[0].split("[")[0] for problem in problems}
    assert places
    assert places <= set(PARTS)
    assert all(problem.line().encode("utf-8") for problem in problems)
