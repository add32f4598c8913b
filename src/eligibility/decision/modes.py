"""Which modes of crossing are open, which is recommended, and why not a lesser one."""

from __future__ import annotations

from typing import Any

from eligibility.circuit.truth import truth
from eligibility.decision.assess import Assessment
from eligibility.decision.program import Program
from eligibility.errors import Text
from eligibility.rulebase.model import Mode, Rule


def modes(assessment: Assessment) -> list[dict[str, Any]]:
    """Open modes, least intrusive first; the least intrusive sufficient one is recommended."""
    opened = _opened(assessment)
    recommended, reasons = _recommend(assessment)
    base = assessment.program.lowered.rulebase
    out = []
    for name, mode in base.modes.items():
        rules = opened.get(name)
        if not rules:
            continue
        chosen = name == recommended
        entry: dict[str, Any] = {
            "mode": name,
            "label": mode.label.as_dict(),
            "rules": [r.id for r in rules],
            "decided_by": mode.decided_by,
            "decided_by_label": base.bodies[mode.decided_by].as_dict(),
            "instrument": mode.instrument.as_dict(),
            "power_moves": mode.power_moves,
            "set_level": mode.set_level,
            "recommended": chosen,
            "why": _why(mode, chosen, reasons, recommended).as_dict(),
        }
        if _only_prepared(assessment, rules):
            entry["prepare_only"] = True
        out.append(entry)
    return out


def recommended_mode(assessment: Assessment) -> str | None:
    return _recommend(assessment)[0]


def recommending_rules(program: Program) -> int:
    """The rules, as a mask, on whose effect the recommended mode may rest."""
    mask = 0
    for outcome, made in zip(program.lowered.outcomes, program.circuit.outcomes, strict=True):
        if outcome.when.get("kind") == "qualify":
            mask |= made.rules
    return mask


def _opened(assessment: Assessment) -> dict[str, list[Rule]]:
    opened: dict[str, list[Rule]] = {}
    effective = assessment.verdicts.effective
    for i, rule in enumerate(assessment.program.lowered.rules):
        if effective >> i & 1 and rule.kind == "qualify" and not rule.advisory:
            for mode in rule.modes:
                opened.setdefault(mode, []).append(rule)
    return opened


def _recommendable(assessment: Assessment) -> list[Rule]:
    """The rules of the first outcome that qualifying rules make hold; they open its modes."""
    program = assessment.program
    effective = assessment.verdicts.effective
    for outcome, made in zip(program.lowered.outcomes, program.circuit.outcomes, strict=True):
        if outcome.when.get("kind") != "qualify":
            continue
        found = [
            r
            for i, r in enumerate(program.lowered.rules)
            if effective >> i & 1 and made.rules >> i & 1
        ]
        if found:
            return found
    return []


def _recommend(assessment: Assessment) -> tuple[str | None, dict[str, Text]]:
    """The recommended mode, and for each lesser one why it does not suffice."""
    found = assessment.advised
    if found is None:
        found = assessment.advised = _recommendation(assessment)
    return found


def _recommendation(assessment: Assessment) -> tuple[str | None, dict[str, Text]]:
    program = assessment.program
    open_names = {mode for rule in _recommendable(assessment) for mode in rule.modes}
    reasons: dict[str, Text] = {}
    last = None
    for name, mode in program.lowered.rulebase.modes.items():
        if name not in open_names:
            continue
        last = name
        node = program.lowered.mode_nodes.get(name)
        if node is None or truth(program.circuit, node, assessment.reading.inputs) is not True:
            return name, reasons
        reasons[name] = mode.when_insufficient
    return last, reasons


def _why(mode: Mode, chosen: bool, reasons: dict[str, Text], recommended: str | None) -> Text:
    if chosen:
        lesser = [t for name, t in reasons.items() if name != mode.name]
        if not lesser:
            return Text("强度最低的足够方式", "the least intrusive sufficient mode")
        return Text(
            "较轻的方式不足：" + "".join(t.zh for t in lesser),
            "lesser modes do not suffice: " + " ".join(t.en for t in lesser),
        )
    if mode.name in reasons:
        return reasons[mode.name]
    if recommended is None:
        return Text("", "")
    return Text("已有强度更低的足够方式", "a less intrusive mode suffices")


def _only_prepared(assessment: Assessment, rules: list[Rule]) -> bool:
    return assessment.outcome == "stayed" and any(r.in_stay == "prepare" for r in rules)
