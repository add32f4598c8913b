"""The steps of 监督指标: what was counted of a court and a period, and what its measures say.

Words in the tables are those of the fact dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.courts.figures import read_figures
from eligibility.courts.supervision import supervise
from eligibility.errors import EligibilityError
from eligibility.render.measures import counts, value_text
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from scenarios.examination import Examination, Table, listed


@dataclass
class Inspection:
    """The figures of a scenario, and the answer they got."""

    rulebase: Rulebase
    payload: dict[str, Any] = field(default_factory=dict)
    profile: str | None = None
    answer: dict[str, Any] | None = None
    refusal: EligibilityError | None = None

    def compute(self) -> None:
        self.answer = self.refusal = None
        try:
            figures = read_figures(self.payload, self.rulebase)
            self.answer = supervise(self.rulebase, self.profile, figures, figures.period.last)
        except EligibilityError as error:
            self.refusal = error

    def rules(self) -> list[dict[str, Any]]:
        if self.answer is None:
            raise AssertionError(f"未能得出指标：{self.refusal}")
        return self.answer["rules"]  # type: ignore[no-any-return]

    def measure(self, rule: str, label: str) -> dict[str, Any]:
        found = [
            measure
            for entry in self.rules()
            for measure in entry["measures"]
            if entry["id"] == rule and measure["label"]["zh"] == label
        ]
        assert found, f"规则 {rule} 没有指标“{label}”，或者不适用"
        return found[0]  # type: ignore[no-any-return]

    def place(self, path: str) -> str:
        """A path as people read it: ``figures.q_reports``, 本院报请数."""
        part, _, key = path.partition(".")
        fact = self.rulebase.vocabulary.facts.get(key)
        return fact.label.zh if fact else {"period": "期间"}.get(part, key or part)


def number(text: str) -> int | Decimal:
    value = Decimal(text)
    return int(value) if value == int(value) else value


@pytest.fixture(scope="session")
def supervised_rules() -> Rulebase:
    return load_rules()


@pytest.fixture
def inspection(supervised_rules: Rulebase) -> Inspection:
    return Inspection(supervised_rules)


# --- 假如、当 -----------------------------------------------------------------------------


@given(parsers.parse('"{court}"在"{period}"的数字为:'))
def counted(inspection: Inspection, court: str, period: str, datatable: Table) -> None:
    figures = {word: number(text) for word, text in datatable if text != "未知"}
    inspection.payload |= {"court": court, "period": period, "figures": figures}


@given("退回的报请按规则计为:")
def counted_by_rule(inspection: Inspection, datatable: Table) -> None:
    inspection.payload["by_rule"] = {rule: int(text) for rule, text in datatable}


@given(parsers.parse('指标适用"{profile}"的规则'))
def supervised_by(inspection: Inspection, profile: str) -> None:
    known = inspection.rulebase.profiles.values()
    found = [p.id for p in known if profile in (p.id, p.label.zh)]
    assert found, f"没有辖区规则“{profile}”"
    inspection.profile = found[0]


@given("该院的数字随案报送")
def sent_with_the_case(inspection: Inspection, examination: Examination) -> None:
    """As ``court_periods`` of the case of the other steps."""
    examination.facts["court_periods"] = [inspection.payload["figures"]]


@when("计算监督指标")
@when("再次计算监督指标")
def compute(inspection: Inspection) -> None:
    inspection.compute()


@when(parsers.parse('该院的"{word}"变为"{text}"'))
def counted_anew(inspection: Inspection, word: str, text: str) -> None:
    inspection.payload["figures"].pop(word, None)
    if text != "未知":
        inspection.payload["figures"][word] = number(text)


# --- 那么 ---------------------------------------------------------------------------------


@then(parsers.parse('规则"{rule}"的指标"{label}"为"{text}"'))
def measure_is(inspection: Inspection, rule: str, label: str, text: str) -> None:
    assert value_text(inspection.measure(rule, label), "zh") == text


@then(parsers.parse('规则"{rule}"的指标"{label}"达标'))
def measure_meets(inspection: Inspection, rule: str, label: str) -> None:
    assert inspection.measure(rule, label)["meets"] is True


@then(parsers.parse('规则"{rule}"的指标"{label}"未达标，再有{more:d}件即达标'))
def measure_misses(inspection: Inspection, rule: str, label: str, more: int) -> None:
    measure = inspection.measure(rule, label)
    assert (measure["meets"], measure["more_to_reach"]) == (False, more)


@then(parsers.parse('规则"{rule}"的指标"{label}"未达标，超出{over:d}件'))
def measure_over(inspection: Inspection, rule: str, label: str, over: int) -> None:
    measure = inspection.measure(rule, label)
    assert (measure["meets"], measure["over"]) == (False, over)


@then(parsers.parse('规则"{rule}"的指标"{label}"不设标准线'))
def measure_without_line(inspection: Inspection, rule: str, label: str) -> None:
    measure = inspection.measure(rule, label)
    assert (measure["line"], measure["meets"]) == (None, None)
    assert measure["value"] is not None


@then(parsers.parse('规则"{rule}"的指标"{label}"没有案件，不评价'))
def measure_of_nothing(inspection: Inspection, rule: str, label: str) -> None:
    measure = inspection.measure(rule, label)
    assert (measure["reason"], measure["value"], measure["meets"]) == ("no_cases", None, None)


@then(parsers.parse('规则"{rule}"的指标"{label}"不评价，缺少"{words}"'))
def measure_unknown(inspection: Inspection, rule: str, label: str, words: str) -> None:
    measure = inspection.measure(rule, label)
    assert (measure["reason"], measure["value"], measure["meets"]) == ("unknown", None, None)
    assert [fact["label"]["zh"] for fact in measure["missing"]] == listed(words)


@then(parsers.parse('规则"{rule}"的指标"{label}"只列件数"{text}"，不评价，也不分规则'))
def measure_suppressed(inspection: Inspection, rule: str, label: str, text: str) -> None:
    measure = inspection.measure(rule, label)
    assert measure["suppressed"]
    assert (counts(measure), measure["value"], measure["by_rule"]) == (text, None, [])


@then(parsers.parse('规则"{rule}"的指标"{label}"其中因"{part}"退回{count:d}件'))
def measure_by_rule(inspection: Inspection, rule: str, label: str, part: str, count: int) -> None:
    assert _by_rule(inspection, rule, label)[part] == count


@then(parsers.parse('规则"{rule}"的指标"{label}"其中因"{part}"退回的件数未知'))
def measure_by_rule_unknown(inspection: Inspection, rule: str, label: str, part: str) -> None:
    assert _by_rule(inspection, rule, label)[part] is None


def _by_rule(inspection: Inspection, rule: str, label: str) -> dict[str, int | None]:
    return {p["rule"]: p["count"] for p in inspection.measure(rule, label)["by_rule"]}


@then(parsers.parse('规则"{rule}"的依据包括"{sources}"'))
def rule_cites(inspection: Inspection, rule: str, sources: str) -> None:
    cited = next(entry["citations"] for entry in inspection.rules() if entry["id"] == rule)
    assert set(listed(sources)) <= set(cited)


@then(parsers.parse('规则"{rule}"为建议，后果为"{text}"'))
def rule_is_proposed(inspection: Inspection, rule: str, text: str) -> None:
    entry = next(entry for entry in inspection.rules() if entry["id"] == rule)
    assert (entry["basis"], entry["consequence"]["zh"]) == ("proposed", text)


@then(parsers.parse('适用的监督规则恰为"{rules}"'))
def supervising_rules(inspection: Inspection, rules: str) -> None:
    assert [entry["id"] for entry in inspection.rules()] == listed(rules)


@then(parsers.parse('所报数字被拒收，位置为"{place}"，原因为"{text}"'))
def figures_refused(inspection: Inspection, place: str, text: str) -> None:
    assert inspection.refusal is not None
    problems = [
        (inspection.place(str(p.place)), p.message.zh + (p.hint.zh if p.hint else ""))
        for p in inspection.refusal.problems
    ]
    assert any(at == place and text in message for at, message in problems), problems
