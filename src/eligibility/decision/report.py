"""The parts of a decision that report: rules, clocks, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from eligibility.calendars import ClockResult, run_clock
from eligibility.decision.assess import Assessment
from eligibility.decision.derive import ART13, AUCTION_NOTICE, RunningClock
from eligibility.decision.explanation import Explainer
from eligibility.errors import Problem, Text, nearest
from eligibility.rulebase.model import Rule
from eligibility.vocabulary.model import Clock

AUCTION_COUNTS = "auction_notice_counts"


def rule_entries(found: Assessment, explainer: Explainer, full: bool) -> list[dict[str, Any]]:
    """Every rule that is true or unknown (all of them if ``full``), bars and effect first."""
    verdicts = found.verdicts
    entries = []
    for i, rule in enumerate(found.program.lowered.rules):
        if not full and not verdicts.possible >> i & 1:
            continue
        entries.append(_rule_entry(found, explainer, i, rule))
    order = {"true": 0, "unknown": 1, "false": 2}
    return sorted(entries, key=lambda e: (order[e["effective"]], order[e["verdict"]], e["id"]))


def _rule_entry(found: Assessment, explainer: Explainer, i: int, rule: Rule) -> dict[str, Any]:
    v = found.verdicts
    entry = explainer.reasons.entry(rule).copy()
    entry["verdict"] = _truth(v.true >> i & 1, v.possible >> i & 1)
    entry["effective"] = _truth(v.effective >> i & 1, v.maybe_effective >> i & 1)
    entry["defeated_by"] = _defeated_by(found, i, rule)
    entry["because"] = explainer.rule(rule)
    lifted = [r for r in found.case.overrides if r.get("bar") == rule.id]
    if found.overridden >> i & 1 and lifted:
        entry["override"] = dict(lifted[0])
    if rule.basis == "proposed":
        entry["ground"] = rule.ground.as_dict()
    return entry


def _truth(certain: int, possible: int) -> str:
    return "true" if certain else ("unknown" if possible else "false")


def _defeated_by(found: Assessment, i: int, rule: Rule) -> list[str]:
    """Why a verdict has no effect: ``channel``, ``override``, or the rules that defeat it."""
    v = found.verdicts
    if not v.possible >> i & 1 or v.effective >> i & 1:
        return []
    out = []
    channel = found.derived.facts.get("request_channel")
    if rule.channel and channel is not None and channel not in rule.channel:
        out.append("channel")
    if found.overridden >> i & 1:
        out.append("override")
    made = found.program.circuit.rules
    beaten_by = made[i].defeaters & v.maybe_effective
    if beaten_by:
        out += [r.id for j, r in enumerate(made) if beaten_by >> j & 1]
    return out


# --- clocks -----------------------------------------------------------------------------------


def clock_entries(found: Assessment) -> list[dict[str, Any]]:
    """One entry for each clock and property, with all that is needed to check it by hand."""
    return [_clock_entry(found, running) for running in found.derived.clocks]


def _clock_entry(found: Assessment, running: RunningClock) -> dict[str, Any]:
    result, clock = running.result, running.clock
    entry: dict[str, Any] = {
        "name": clock.name,
        "label": clock.label.as_dict(),
        **_clock_dates(result),
        "intervals": [
            {
                "path": f"excluded_intervals[{i.index}]",
                "kind": i.kind,
                "from": i.start.isoformat(),
                "to": i.end.isoformat(),
                "days": i.days,
                "capped": i.capped,
            }
            for i in result.intervals
        ],
        "provisional": result.provisional,
        "citations": list(clock.citations),
    }
    if clock.scope != "case" and clock.scope not in found.case.flat:
        entry["record"] = running.index
    if clock.after_transfer and found.derived.facts.get(clock.after_transfer["count"]):
        entry["other_reading"] = _other_reading(found, running)
    return entry


def _clock_dates(result: ClockResult) -> dict[str, Any]:
    return {
        "start": result.start.isoformat(),
        "months": result.months,
        "base": result.base.isoformat(),
        "deducted_days": result.deducted_days,
        "nominal": result.nominal.isoformat(),
        "expires": result.expires.isoformat(),
        "moved_by": [{"day": m.day.isoformat(), "reason": m.reason} for m in result.moved_by],
        "exceeded": result.exceeded,
    }


def _other_reading(found: Assessment, running: RunningClock) -> dict[str, Any] | None:
    """The clock under the other policy after a transfer: an open question, so both are shown."""
    clock, transfer = running.clock, running.clock.after_transfer or {}
    policy = found.program.lowered.parameters[transfer["policy"]]
    other = "continue" if policy == "restart" else "restart"
    facts = found.derived.facts
    start = facts.get(clock.start) if other == "continue" else facts.get(transfer["filed"])
    if not isinstance(start, date):
        return None
    result = _read(found, clock, start, bool(found.program.lowered.parameters.get(AUCTION_COUNTS)))
    return {"policy": other, **_clock_dates(result)}


def _read(found: Assessment, clock: Clock, start: date, auction_counts: bool) -> ClockResult:
    """A clock as the parameters have it, but from this start and with this answer on auctions."""
    derivations = found.derived.run.derivations
    kinds = derivations.deducted_kinds(clock.deduct) - {AUCTION_NOTICE}
    if auction_counts and kinds == ART13:
        kinds |= {AUCTION_NOTICE}
    calendar = derivations.rollover(clock)
    intervals = found.case.intervals or ()
    return run_clock(start, clock.months, found.derived.as_of, intervals, kinds, calendar)


# --- warnings -----------------------------------------------------------------------------------


def warnings(found: Assessment) -> Iterator[Problem]:
    """What a reader should know of before relying on the decision."""
    yield from found.warnings
    yield from _presumption_warnings(found)
    yield from _court_warnings(found)
    yield from _interval_warnings(found)
    for running in found.derived.clocks:
        if running.result.provisional:
            yield Problem(
                "provisional_holidays",
                Text(
                    f"“{running.clock.label.zh}”所涉年份的放假安排尚未公布，届满日为暂定",
                    f"the holidays that '{running.clock.name}' rests on are not yet published",
                ),
                running.clock.name,
            )
    mask = found.program.proposed & found.verdicts.effective
    if mask:
        rules = found.program.lowered.rules
        proposed = sorted(rule.id for i, rule in enumerate(rules) if mask >> i & 1)
        yield Problem(
            "proposed_rules",
            Text(
                f"本辖区采纳的建议性规则（并非法律规定）起作用：{'、'.join(proposed)}",
                f"proposals adopted here, not law, take effect: {', '.join(proposed)}",
            ),
            "rules",
        )


def _presumption_warnings(found: Assessment) -> Iterator[Problem]:
    """A fact given otherwise than silence about its inputs would make it."""
    for problem in found.derived.run.differences:
        text = Text(
            problem.message.zh + "（推算系据未记载事项的推定，以所填为准）",
            problem.message.en + " (by what silence is taken for: the value given counts)",
        )
        yield Problem("given_against_presumption", text, problem.place)


def _court_warnings(found: Assessment) -> Iterator[Problem]:
    """A court that the register does not know: nothing can be derived from it."""
    base = found.program.lowered.rulebase
    for key in found.program.court_facts:
        name = found.case.facts.get(key)
        if isinstance(name, str) and found.program.register.find(name) is None:
            known = [name for c in base.courts.values() for name in (c.label.zh, *c.aliases)]
            shown = name[:40]
            yield Problem(
                "unknown_court",
                Text(
                    f"法院名录中没有“{shown}”，不能据以确定辖区规则和决定权",
                    f"the court register has no '{shown}': it decides neither profile nor power",
                ),
                key,
                hint=nearest(shown, known),
            )


def _interval_warnings(found: Assessment) -> Iterator[Problem]:
    """Intervals that are kept and shown but not deducted, and why."""
    parameters = found.program.lowered.parameters
    for interval in found.case.intervals or ():
        place = f"excluded_intervals[{interval.index}]"
        if interval.kind in ART13 and not interval.doc_no:
            yield Problem(
                "undocumented_interval",
                Text("没有文号，未予扣除", "has no document number and was not deducted"),
                place,
            )
        elif interval.kind == AUCTION_NOTICE:
            yield _auction_warning(found, place, bool(parameters.get(AUCTION_COUNTS)))
        elif interval.kind not in ART13:
            yield Problem(
                "interval_not_deducted",
                Text(
                    "不属于应当扣除的六类期间，仅作记录",
                    "is not one of the six periods that are deducted; recorded only",
                ),
                place,
            )


def _auction_warning(found: Assessment, place: str, counts: bool) -> Problem:
    """Whether an auction notice is a 公告期间 is open: both results are shown."""
    shown = []
    for running in found.derived.clocks:
        start = running.result.start
        without = _read(found, running.clock, start, False)
        with_it = _read(found, running.clock, start, True)
        shown.append((running.clock.label.zh, running.clock.name, without.expires, with_it.expires))
    zh = "；".join(f"{label}：不扣除为 {a}，扣除为 {b}" for label, _, a, b in shown)
    en = "; ".join(f"{name}: {a} without, {b} with" for _, name, a, b in shown)
    policy_zh = "已扣除" if counts else "未扣除"
    policy_en = "was deducted" if counts else "was not deducted"
    return Problem(
        "auction_notice",
        Text(
            f"拍卖公告期间是否属于“公告期间”尚有争议，本次{policy_zh}。{zh}",
            f"whether an auction notice counts is an open question; it {policy_en}. {en}",
        ),
        place,
    )
