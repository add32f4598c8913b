"""What the measures of a court and a period say, and what they keep to themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.courts.figures import Figures
from eligibility.courts.periods import parse_period
from eligibility.courts.supervision import more_to_reach, supervise, too_many
from eligibility.errors import FactsError, NotFound, Text
from eligibility.rulebase.comparisons import Measure
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.model import Period as Validity
from eligibility.rulebase.model import Rulebase

QUARTER = parse_period("2025Q1")
DAY = date(2025, 3, 31)
Entry = dict[str, Any]

COUNTS = st.integers(1, 400).flatmap(lambda per: st.tuples(st.integers(0, per), st.just(per)))
LINES = st.fractions(min_value=0, max_value=1, max_denominator=60)


def figures(court: str = "某院", by_rule: dict[str, int] | None = None, **values: Any) -> Figures:
    return Figures(court, QUARTER, values, by_rule)


def answer(
    rulebase: Rulebase, found: Figures, profile: str | None = None, day: date = DAY
) -> Entry:
    out = supervise(rulebase, profile, found, day)
    json.dumps(out, allow_nan=False)
    return out


def measured(out: Entry) -> dict[str, Entry]:
    """Measures by key."""
    return {measure["key"]: measure for rule in out["rules"] for measure in rule["measures"]}


def leaders(rulebase: Rulebase, of: int, per: int) -> Entry:
    found = figures(q_leader_handled=of, q_cross_cases_handled=per)
    return measured(answer(rulebase, found, "sc"))["leader_share"]


def buck_passing(
    rulebase: Rulebase, of: int, per: int, by_rule: dict[str, int] | None = None
) -> Entry:
    found = figures(by_rule=by_rule, q_reports_returned=of, q_reports=per)
    return measured(answer(rulebase, found, "js-yancheng"))["returned_share"]


def with_parameter(rulebase: Rulebase, key: str, value: int | Decimal) -> Rulebase:
    parameter = rulebase.parameters[key]
    changed = replace(parameter, values=(replace(parameter.values[0], value=value),))
    return replace(rulebase, parameters={**rulebase.parameters, key: changed})


def with_measures(rulebase: Rulebase, *measures: Measure) -> Rulebase:
    rule = replace(rulebase.rules["XV-04"], measures=measures)
    return replace(rulebase, rules={"XV-04": rule})


# --- the leaders' share (S53, B-24) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "per", "value", "meets", "more"),
    [
        (5, 10, 0.5, True, 0),
        (5, 11, 0.4545, False, 1),
        (6, 12, 0.5, True, 0),
        (0, 1, 0.0, False, 1),
        (0, 10, 0.0, False, 10),
        (10, 10, 1.0, True, 0),
        (19287, 33488, 0.5759, True, 0),
        (49, 100, 0.49, False, 2),
        (16743, 33488, 0.4999, False, 2),
    ],
)
def test_at_least_is_inclusive_and_says_how_many_more(
    shipped: Rulebase, of: int, per: int, value: float, meets: bool, more: int
) -> None:
    found = leaders(shipped, of, per)
    assert (found["value"], found["meets"], found["more_to_reach"]) == (value, meets, more)
    assert (found["reason"], found["over"], found["suppressed"]) == (None, None, False)


def test_the_line_names_its_parameter_and_where_that_is_from(shipped: Rulebase) -> None:
    line = leaders(shipped, 5, 10)["line"]
    assert line["at_most"] is None
    assert line["at_least"]["value"] == 0.5
    assert line["at_least"]["parameter"]["key"] == "leader_share_min"
    assert line["at_least"]["parameter"]["citations"] == ["S53"]


def test_all_cases_cannot_be_reached_once_one_was_not(shipped: Rulebase) -> None:
    whole = with_parameter(shipped, "leader_share_min", Decimal(1))
    assert leaders(whole, 9, 10)["more_to_reach"] is None
    assert leaders(whole, 9, 10)["meets"] is False
    assert leaders(whole, 10, 10)["more_to_reach"] == 0


def test_the_parameter_of_the_day_counts(shipped: Rulebase) -> None:
    parameter = shipped.parameters["leader_share_min"]
    later = replace(parameter.values[0], value=Decimal("0.6"), effective=Validity(date(2025, 7, 1)))
    both = replace(parameter, values=(*parameter.values, later))
    changed = replace(shipped, parameters={**shipped.parameters, parameter.key: both})
    found = figures(q_leader_handled=5, q_cross_cases_handled=10)
    for day, meets, more in ((date(2025, 6, 30), True, 0), (date(2025, 7, 1), False, 3)):
        entry = measured(answer(changed, found, "sc", day))["leader_share"]
        assert (entry["meets"], entry["more_to_reach"]) == (meets, more)


@given(COUNTS, LINES)
def test_more_to_reach_is_the_least_that_does(counts: tuple[int, int], line: Fraction) -> None:
    """By brute force in whole numbers: (of + n) · b >= a · (per + n)."""
    of, per = counts
    tried = (n for n in range(60 * per + 1) if _reaches(of + n, per + n, line))
    assert more_to_reach(Fraction(of), Fraction(per), line) == next(tried, None)


@given(COUNTS, LINES | LINES.map(lambda line: -line))
def test_too_many_is_the_least_that_helps(counts: tuple[int, int], line: Fraction) -> None:
    of, per = counts
    tried = (n for n in range(of + 1) if (of - n) * line.denominator <= line.numerator * per)
    assert too_many(Fraction(of), Fraction(per), line) == next(tried, None)


def _reaches(of: int, per: int, line: Fraction) -> bool:
    return of * line.denominator >= line.numerator * per


@given(COUNTS, st.decimals(0, 1, places=4))
def test_a_share_says_the_same_as_its_result(
    shipped: Rulebase, counts: tuple[int, int], line: Decimal
) -> None:
    of, per = counts
    found = leaders(with_parameter(shipped, "leader_share_min", line), of, per)
    assert 0 <= found["value"] <= 1
    assert abs(found["value"] - of / per) < 1e-4
    assert found["meets"] == (of >= line * per)
    assert found["meets"] == (Decimal(str(found["value"])) >= line)
    assert (found["value"] == 0, found["value"] == 1) == (of == 0, of == per)
    assert found["meets"] == (found["more_to_reach"] == 0)


@given(COUNTS, LINES)
def test_more_by_leaders_is_never_worse(
    shipped: Rulebase, counts: tuple[int, int], line: Fraction
) -> None:
    of, per = counts
    before, after = leaders(shipped, of, per), leaders(shipped, min(of + 1, per), per)
    assert before["value"] <= after["value"]
    assert before["meets"] <= after["meets"]
    assert before["more_to_reach"] >= after["more_to_reach"]
    low, high = (more_to_reach(Fraction(of), Fraction(per), x) for x in (line / 2, line))
    assert high is None or (low is not None and low <= high)


# --- coverage (S57), flow days (S27), progress (S2, S61) -----------------------------------------


def test_coverage_at_zero_and_over(shipped: Rulebase) -> None:
    found = figures(q_open=7, q_open_without_supervisor=0, q_feedback_late=2)
    result = measured(answer(shipped, found, "sc"))
    covered, late = result["without_supervisor"], result["feedback_late"]
    assert (covered["value"], covered["meets"], covered["over"]) == (0.0, True, 0)
    assert (late["value"], late["meets"], late["over"]) == (0.2857, False, 2)
    assert late["more_to_reach"] is None


def test_flow_days_are_shown_without_a_line(shipped: Rulebase) -> None:
    found = figures(q_avg_flow_days=Decimal("12.5"))
    flow = measured(answer(shipped, found))["flow_days"]
    assert (flow["value"], flow["line"], flow["meets"], flow["per"]) == (12.5, None, None, None)
    assert flow["of"]["shown"] == {"zh": "12.5 日", "en": "12.5 day"}


@pytest.mark.parametrize(("of", "per", "value"), [(333, 764, 0.4359), (19287, 33488, 0.5759)])
def test_progress_of_the_sources(shipped: Rulebase, of: int, per: int, value: float) -> None:
    found = figures(q_progressed=of, q_cross_cases_handled=per)
    progress = measured(answer(shipped, found))["progress_share"]
    assert (progress["value"], progress["meets"], progress["line"]) == (value, None, None)


def test_a_number_has_lines_and_a_distance_too(shipped: Rulebase) -> None:
    days = Measure("days", Text("天数", "days"), "q_avg_flow_days", at_most=30)
    reports = Measure("reports", Text("报请", "reports"), "q_reports", at_least=5, at_most=9)
    base = with_measures(shipped, days, reports)
    found = measured(answer(base, figures(q_avg_flow_days=Decimal("33.5"), q_reports=3)))
    assert (found["days"]["meets"], found["days"]["over"]) == (False, 3.5)
    assert (found["reports"]["meets"], found["reports"]["more_to_reach"]) == (False, 2)
    for count, meets, more, over in ((5, True, 0, 0), (9, True, 0, 0), (10, False, 0, 1)):
        entry = measured(answer(base, figures(q_reports=count)))["reports"]
        result = (entry["meets"], entry["more_to_reach"], entry["over"])
        assert result == (meets, more, over)


# --- unknown, nothing, too few -------------------------------------------------------------------


def test_unknown_stays_unknown_and_is_asked_for(shipped: Rulebase) -> None:
    out = answer(shipped, figures(q_leader_handled=5), "sc")
    share = measured(out)["leader_share"]
    assert (share["value"], share["meets"], share["more_to_reach"]) == (None, None, None)
    assert share["reason"] == "unknown"
    assert [fact["fact"] for fact in share["missing"]] == ["q_cross_cases_handled"]
    asked = {entry["fact"]: entry["rules"] for entry in out["missing"]}
    assert asked["q_cross_cases_handled"] == ["XV-01", "XV-04"]
    assert asked["q_open"] == ["XV-02"]
    assert "q_leader_handled" not in asked


@pytest.mark.parametrize("of", [{}, {"q_leader_handled": 0}])
def test_a_share_of_nothing_is_not_assessed(shipped: Rulebase, of: dict[str, Any]) -> None:
    found = measured(answer(shipped, figures(q_cross_cases_handled=0, **of), "sc"))["leader_share"]
    assert (found["value"], found["meets"], found["more_to_reach"]) == (None, None, None)
    assert found["reason"] == "no_cases"
    assert not found["suppressed"]


def test_under_ten_reports_only_counts_are_shown(shipped: Rulebase) -> None:
    found = buck_passing(shipped, 5, 9, {"XB-08": 5})
    assert (found["reason"], found["suppressed"], found["by_rule"]) == ("suppressed", True, [])
    assert (found["value"], found["meets"]) == (None, None)
    assert (found["of"]["value"], found["per"]["value"]) == (5, 9)
    assert found["suppress_under"]["value"] == 10


def test_from_ten_reports_the_share_and_its_breakdown_are_shown(shipped: Rulebase) -> None:
    found = buck_passing(shipped, 5, 10, {"XB-08": 3, "XB-09": 2, "XB-11": 0})
    assert (found["value"], found["suppressed"], found["meets"]) == (0.5, False, None)
    parts = {part["rule"]: part["count"] for part in found["by_rule"]}
    assert parts == {"XB-08": 3, "XB-09": 2, "XB-10": None, "XB-11": 0}


def test_a_breakdown_needs_to_know_that_there_are_enough(shipped: Rulebase) -> None:
    found = figures(by_rule={"XB-08": 3}, q_reports_returned=5)
    entry = measured(answer(shipped, found, "js-yancheng"))["returned_share"]
    assert (entry["reason"], entry["by_rule"]) == ("unknown", [])


@given(
    st.integers(1, 60).flatmap(
        lambda few: st.tuples(st.just(few), *[st.integers(1, few) for _ in range(4)])
    ),
    st.booleans(),
)
def test_a_suppressed_share_never_leaks(
    shipped: Rulebase, drawn: tuple[int, int, int, int, int], lined: bool
) -> None:
    """Apart from the two counts the entry is the same whatever was counted."""
    limit, first, second, *counts = drawn
    per = limit - 1
    base = with_parameter(shipped, "measure_min_reports", limit)
    if lined:
        rule = base.rules["XV-03"]
        strict = replace(rule.measures[0], at_most=0, at_least=Param("leader_share_min"))
        rules = {**base.rules, "XV-03": replace(rule, measures=(strict,))}
        base = replace(base, rules=rules)
    entries = []
    for of, count in zip((first, second), counts, strict=True):
        of, count = min(of, per), min(count, of, per)
        if per:
            entry = buck_passing(base, of, per, {"XB-08": count, "XB-09": 0})
            assert entry["of"].pop("value") == of
            entry["of"].pop("shown")
            assert entry["reason"] == "suppressed"
            entries.append(entry)
    assert len({json.dumps(entry, sort_keys=True) for entry in entries}) <= 1


# --- the answer as a whole -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("court", "profile", "rules"),
    [
        ("阜宁法院", "js-yancheng", ["XV-03", "XV-04"]),
        ("sc-yibin", "sc", ["XV-01", "XV-02", "XV-04"]),
        ("某院", "national", ["XV-04"]),
    ],
)
def test_the_profile_is_that_of_the_court(
    shipped: Rulebase, court: str, profile: str, rules: list[str]
) -> None:
    out = answer(shipped, figures(court))
    assert out["profile"] == profile
    assert [rule["id"] for rule in out["rules"]] == rules
    assert answer(shipped, figures(court), "sc")["profile"] == "sc"


def test_a_court_is_known_by_any_of_its_names(shipped: Rulebase) -> None:
    for name in ("阜宁法院", "阜宁县人民法院", "js-yancheng-funing"):
        court = answer(shipped, figures(name))["court"]
        assert (court["id"], court["label"]["zh"]) == ("js-yancheng-funing", "阜宁县人民法院")
    assert answer(shipped, figures("某院"))["court"]["id"] is None


def test_an_unknown_profile_is_refused(shipped: Rulebase) -> None:
    with pytest.raises(NotFound):
        supervise(shipped, "js-yangcheng", figures(), DAY)


def test_contradictory_figures_are_refused_wherever_they_are_from(shipped: Rulebase) -> None:
    with pytest.raises(FactsError) as error:
        supervise(shipped, "national", figures(q_leader_handled=2, q_cross_cases_handled=1), DAY)
    assert error.value.code == "contradictory_figures"


def test_each_rule_says_what_it_rests_on(shipped: Rulebase) -> None:
    for profile in shipped.profiles:
        for entry in answer(shipped, figures(), profile)["rules"]:
            rule = shipped.rules[entry["id"]]
            assert entry["basis"] == rule.basis
            assert entry["citations"] == list(rule.citations)
            assert entry["consequence"] == rule.consequence.as_dict()
            assert ("ground" in entry) == (rule.basis == "proposed")
            assert len(entry["proposed_parts"]) == len(rule.proposed_parts)


@pytest.mark.parametrize(
    ("text", "day", "other", "complete"),
    [
        ("2025Q1", date(2025, 3, 31), False, True),
        ("2025Q1", date(2025, 3, 30), False, False),
        ("2025", date(2026, 1, 1), True, True),
        ("2025-03", date(2025, 4, 1), True, True),
    ],
)
def test_another_period_and_one_not_over_are_told(
    shipped: Rulebase, text: str, day: date, other: bool, complete: bool
) -> None:
    out = supervise(shipped, None, Figures("某院", parse_period(text)), day)
    assert out["period"]["complete"] is complete
    assert {rule["other_period"] for rule in out["rules"]} == {other}


def test_a_rule_counts_from_its_day(shipped: Rulebase) -> None:
    rule = replace(shipped.rules["XV-04"], effective=Validity(date(2025, 7, 1)))
    base = replace(shipped, rules={**shipped.rules, "XV-04": rule})
    assert answer(base, figures(), day=date(2025, 6, 30))["rules"] == []
    assert len(answer(base, figures(), day=date(2025, 7, 1))["rules"]) == 1


@given(st.integers(0, 10**6))
def test_order_is_of_no_account(shipped: Rulebase, seed: int) -> None:
    """Of the rules, of the measures in a rule, and of the figures."""
    random = Random(seed)
    counted: dict[str, Any] = {
        fact.key: random.randint(0, 20) for fact in shipped.vocabulary.of_scope("court_period")
    }
    for measure in (m for rule in shipped.rules.values() for m in rule.measures if m.per):
        counted[measure.of] = min(counted[measure.of], counted[measure.per])
    rules = [
        replace(rule, measures=tuple(random.sample(rule.measures, len(rule.measures))))
        for rule in random.sample(list(shipped.rules.values()), len(shipped.rules))
    ]
    other = replace(shipped, rules={rule.id: rule for rule in rules})
    shuffled = dict(random.sample(list(counted.items()), len(counted)))
    for profile in shipped.profiles:
        before = answer(shipped, figures(**counted), profile)
        after = answer(other, figures(**shuffled), profile)
        assert measured(before) == measured(after)
        assert [rule["id"] for rule in before["rules"]] == [rule["id"] for rule in after["rules"]]
        assert before["missing"] == after["missing"]
