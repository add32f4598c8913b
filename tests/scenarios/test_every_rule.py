"""Every rule that decides has a scenario in which it does, and a near miss in the same one.

Reads the features themselves: a rule without its scenario, a scenario without an outcome
or without the rule that caused it, and the id of a rule that does not exist, are faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from gherkin.parser import Parser

from eligibility.rulebase.model import Rule
from eligibility.rulefiles import load_rules

FEATURES = sorted((Path(__file__).parents[2] / "features").glob("*.feature"))
RULES = load_rules().rules
DECIDING = [rule for rule in RULES.values() if rule.grants or rule.effect or rule.advisory]
DUTIES = [
    (rule.id, f"{rule.id}.{duty.key}" if len(rule.duties) > 1 else rule.id)
    for rule in RULES.values()
    for duty in rule.duties
]
MEASURES = [(rule.id, measure.label.zh) for rule in RULES.values() for measure in rule.measures]
RULE_ID = re.compile(r"X[A-Z]-\d+")
CHANGE = re.compile(r'把(第\d+个.+的)?".+"改为".*"|审查基准日改为".+"')
AGAIN = "再次审查该案"
OUTCOME = re.compile(
    r'结论为"(.+)"|可能的结论恰为"(.+)"|该案被拒收'
    r'|规则"XV-\d+"的指标"|所报数字被拒收'  # of a court and period: a measure and its rule
    r'|方案.*"|方案调出'  # of a plan for many cases
    r'|".+"\w+，结论由".+"变为"(.+)"|".+"为\w+，结论为"(.+)"'  # of a case screened twice
    r"|留存的决定"  # of what is on record
    r'|截至".+"，义务".+"[为待应由]|截至".+"，没有义务"|截至".+"，义务".+"的期限为'  # of a duty
)
OPEN = "需补充信息"
DECIDES = "决定"


@dataclass(frozen=True)
class Written:
    """A scenario, or one example of an outline, as it is written."""

    feature: str
    name: str
    tags: frozenset[str]
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.feature}：{self.name}"


def written(path: Path) -> list[Written]:
    document: Any = Parser().parse(path.read_text(encoding="utf-8"))
    return [
        Written(path.stem, made["name"], _tags(made), steps)
        for made in _scenarios(document["feature"]["children"])
        for steps in _examples(made)
    ]


def _scenarios(children: list[Any]) -> Iterator[Any]:
    for child in children:
        if "rule" in child:
            yield from _scenarios(child["rule"]["children"])
        elif "scenario" in child:
            yield child["scenario"]


def _tags(scenario: Any) -> frozenset[str]:
    return frozenset(tag["name"].removeprefix("@") for tag in scenario["tags"])


def _examples(scenario: Any) -> Iterator[tuple[str, ...]]:
    """The steps once for each row of examples, or once."""
    steps = [step["text"] for step in scenario["steps"]]
    if not scenario["examples"]:
        yield tuple(steps)
    for table in scenario["examples"]:
        header = [cell["value"] for cell in table["tableHeader"]["cells"]]
        for row in table["tableBody"]:
            values = dict(zip(header, (cell["value"] for cell in row["cells"]), strict=True))
            yield tuple(
                re.sub("<([^<>]+)>", lambda m: values.get(m[1], m[0]), s)  # noqa: B023
                for s in steps
            )


SCENARIOS = [made for path in FEATURES for made in written(path)]


def names_rule(step: str, rule: str, ending: str) -> bool:
    """Whether a step says ``规则"A、B"`` of a rule, and goes on with ``ending``."""
    found = re.fullmatch(f'规则"([^"]+)"{ending}', step)
    return found is not None and rule in found[1].split("、")


def lacks(scenario: Written, rule: Rule) -> str:
    """What a scenario lacks to show a rule deciding and then, one fact changed, not."""
    ending = "成立，仅作提示" if rule.advisory else "决定了结论"
    steps = scenario.steps
    place = next((i for i, s in enumerate(steps) if names_rule(s, rule.id, ending)), None)
    if place is None:
        return f'没有“规则"{rule.id}"{ending}”'
    rest = steps[place + 1 :]
    changes = [i for i, step in enumerate(rest) if CHANGE.fullmatch(step)]
    again = [i for i, step in enumerate(rest) if step == AGAIN]
    if not changes or not again or changes[0] > again[0]:
        return "之后没有改变一个事实再次审查"
    if sum(i < again[0] for i in changes) > 1:
        return "一次改变了不止一个事实"
    after = takewhile(lambda step: not CHANGE.fullmatch(step), rest[again[0] + 1 :])
    if not any(names_rule(step, rule.id, "不成立") for step in after):
        return f'改变以后没有“规则"{rule.id}"不成立”'
    return ""


@pytest.mark.parametrize("rule", DECIDING, ids=lambda rule: rule.id)
def test_rule_decides_in_a_scenario_and_nearly_in_the_same(rule: Rule) -> None:
    tagged = [s for s in SCENARIOS if s.tags >= {rule.id, DECIDES}]
    assert tagged, f"没有标记为 @{rule.id} @{DECIDES} 的场景"
    assert {str(s): lack for s in tagged if (lack := lacks(s, rule))} == {}


@pytest.mark.parametrize(("rule", "name"), DUTIES)
@pytest.mark.parametrize("state", ["已完成", "逾期完成", "逾期未完成"])
def test_duty_is_met_late_and_lapsed_in_scenarios(rule: str, name: str, state: str) -> None:
    stated = re.compile(rf'截至".+"，义务"{re.escape(name)}(#1)?"为"{state}"')
    found = [made for made in SCENARIOS if any(map(stated.fullmatch, made.steps))]
    assert any(rule in made.tags for made in found), f"没有义务 {name} {state} 的场景"


@pytest.mark.parametrize(("rule", "label"), MEASURES)
def test_measure_is_stated_in_a_scenario(rule: str, label: str) -> None:
    stated = f'规则"{rule}"的指标"{label}"为"'
    assert any(step.startswith(stated) for made in SCENARIOS for step in made.steps)


@pytest.mark.parametrize("path", FEATURES, ids=lambda path: path.stem)
def test_scenarios_state_an_outcome_and_the_rule_that_caused_it(path: Path) -> None:
    faults = []
    for scenario in written(path):
        found = [m for step in scenario.steps if (m := OUTCOME.match(step))]
        stated = [name for m in found for name in (m[1], m[3], m[4])]
        settled = [name for name in stated if name and name != OPEN]
        if not found:
            faults.append(f"{scenario}：没有结论")
        elif settled and not any(RULE_ID.search(step) for step in scenario.steps):
            faults.append(f"{scenario}：没有写明是哪一条规则")
    assert faults == []


@pytest.mark.parametrize("path", FEATURES, ids=lambda path: path.stem)
def test_features_name_only_rules_that_exist(path: Path) -> None:
    named = set(RULE_ID.findall(path.read_text(encoding="utf-8")))
    assert named - set(RULES) == set()


def test_there_are_features() -> None:
    assert FEATURES
    assert SCENARIOS
