"""The words of the product around the texts of the rule base, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eligibility.rulebase.shape import BASES, EFFECTS, GRANTS, KINDS

MARKS = {"true": "✓", "false": "✗", "unknown": "?"}
_CLOSED_WORDS = {
    **{f"kind.{k}": v for k, v in KINDS.words.items()},
    **{f"basis.{k}": v for k, v in BASES.words.items()},
    **{f"grants.{k}": v for k, v in GRANTS.words.items()},
    **{f"effect.{k}": v for k, v in EFFECTS.words.items()},
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "case": ("案件", "Case"),
    "outcome": ("结论", "Outcome"),
    "possible": ("可能的结论", "Possible"),
    "profile": ("辖区规则", "Profile"),
    "as_of": ("审查基准日", "As of"),
    "rulebase": ("规则库", "Rule base"),
    "engine": ("引擎", "engine"),
    "inexact": (
        "记录较多，可能的结论或许列得过宽",
        "many records: the possible outcomes may be listed too widely",
    ),
    "bars": ("起作用的限制", "Bars in effect"),
    "qualifying": ("起作用的准入规则", "Qualifying rules in effect"),
    "without_effect": ("成立而不起作用", "True but without effect"),
    "open": ("尚不能确定的规则", "Rules still open"),
    "false_rules": ("不成立的规则", "Rules that do not hold"),
    "none": ("（没有）", "(none)"),
    "cure": ("补正", "Cure"),
    "override": ("可准予例外", "May be lifted by"),
    "override_record": ("准予例外", "Lifted by"),
    "paper": ("文号", "No."),
    "nobody": ("不得准予例外", "nobody may lift it"),
    "consequence": ("后果", "Consequence"),
    "ground": ("理由", "Ground"),
    "proposed_part": ("其中属于建议", "Proposed part"),
    "advisory": ("仅提示", "advisory"),
    "because": ("因为", "Because"),
    "channel": ("启动方式不适用", "does not bind this channel"),
    "overridden": ("已准予例外", "lifted by a recorded override"),
    "defeated": ("让位于", "gives way to"),
    "undecided_defeat": ("可能让位于", "may give way to"),
    "presumed": ("未记载而推定", "Presumed from silence"),
    "presumed_true": ("未记载，视为成立", "not recorded, taken to hold"),
    "presumed_false": ("未记载，视为不成立", "not recorded, taken not to hold"),
    "taken_as": ("未记载，视为", "not recorded, taken as"),
    "otherwise": ("否则", "otherwise"),
    "presumed_rest": (
        "另有 # 项推定，不影响结论（--full 列出）",
        "# more that change nothing (--full lists them)",
    ),
    "quoted_above": ("（原文见上）", "(quoted above)"),
    "empty": ("空", "empty"),
    "never": ("无", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "weekend": ("周末", "weekend"),
    "holiday": ("节假日", "holiday"),
    "same": ("结论不变", "the same outcome"),
    "questions": ("需要补充的信息（按记载者）", "Information needed, by who holds it"),
    "clocks": ("期间", "Clocks"),
    "start": ("起算", "from"),
    "expires": ("届满", "expires"),
    "deducted": ("扣除", "deducted"),
    "days": ("日", "days"),
    "months": ("个月", "months"),
    "exceeded": ("已超过", "exceeded"),
    "running": ("未超过", "not exceeded"),
    "moved": ("届满日顺延", "moved past"),
    "provisional": ("（暂定）", "(provisional)"),
    "other_reading": ("另一种算法", "other reading"),
    "capped": ("（以上限为准）", "(capped)"),
    "time": ("时间推移", "What time alone changes"),
    "then": ("起结论变为", ":"),
    "no_change": ("仅凭时间推移，结论不变", "Time alone changes nothing"),
    "can_do": ("报请法院可以做的", "What the court can do"),
    "cannot_change": ("报请法院不能改变的", "What the court cannot change"),
    "to": ("改为", "to"),
    "act": ("采取措施", "act"),
    "document": ("补充材料（限于属实）", "document (only if true)"),
    "wait": ("并再等", "then wait"),
    "uncertain": ("（未必）", "(not certain)"),
    "and": ("并且", "and"),
    "leads": ("则", "then"),
    "modes": ("交叉方式", "Modes"),
    "recommended": ("建议", "recommended"),
    "prepare_only": ("停止期间只可准备", "may only be prepared during the stay"),
    "set_level": ("成批决定", "a decision about a set of cases"),
    "duties": ("后续义务", "Follow-ups"),
    "due": ("期限", "due"),
    "waits_for": ("待", "waits for"),
    "missing": ("待查明", "not known"),
    "counted_from": ("自", "from"),
    "done_on": ("完成于", "done on"),
    "instrument_due": ("应发", "next"),
    "next_step": ("其后", "then"),
    "assumes": ("以采取此方式为前提", "provided the mode is"),
    "contingent_rest": (
        "另有 # 项或有义务（--full 列出）",
        "# more that may arise (--full lists them)",
    ),
    "unit.day": ("日", "days"),
    "unit.working_day": ("个工作日", "working days"),
    "unit.month": ("个月", "months"),
    "before_date": ("之前", "before it"),
    "duty": ("职责", "Duty"),
    "starts": ("起于", "starts on"),
    "on_decision": ("审查之日", "the day of the decision"),
    "on_verdict": ("成立", "holds"),
    "on_lapse_of": ("逾期到底", "reaches the end of its ladder"),
    "done_by": ("完成于", "done by"),
    "ended_by": ("终止于", "falls away with"),
    "days_late": ("日逾期", "days late"),
    "hard": ("硬性条件：不满足的候选法院排除", "hard filter: a candidate that fails is excluded"),
    "weights": ("权重", "Weights"),
    "flips": ("反转的因素", "Factors that count inversely"),
    "measure": ("指标", "Measure"),
    "at_least": ("不低于", "at least"),
    "at_most": ("不高于", "at most"),
    "suppress_under": ("不足不评", "not shown under"),
    "by_rule": ("按规则", "by rule"),
    "nobody_known": ("（未定）", "(not known)"),
    "receiving": ("受指定法院", "Receiving court"),
    "if_moved": (
        "结论尚未确定，以下以可以法院间交叉为前提",
        "the outcome is open; this holds provided that the case may be moved",
    ),
    "decider": ("决定法院", "deciding court"),
    "competent": ("有决定权的法院", "court that may decide"),
    "who_decides": ("尚不能确定由谁决定，待查明", "not known who decides; to find out"),
    "ranked_by": ("排序规则", "ranked by"),
    "tied": ("（并列）", " (tied)"),
    "more_courts": ("另有 {n} 家（--full 列出）", "{n} more (--full lists them)"),
    "elevation": ("提级执行", "elevate to"),
    "gap": ("第一名与第二名相差 {gap}", "the first leads the second by {gap}"),
    "no_gap": ("第一名并列，按法院编号列出", "the first place is shared; listed by id"),
    "flipped": ("因 {rule}，{factors}反向计分", "by {rule}, these count inversely: {factors}"),
    "if_also": (
        "{rule}是否成立尚不明（待查明：{facts}）；如成立，{then}",
        "not known whether {rule} holds (to find out: {facts}); if so, {then}",
    ),
    "then_first": ("第一名改为{court}", "the {court} would be first"),
    "still_first": ("第一名仍为{court}", "the {court} is still first"),
    "left_out": ("有候选法院不明而未计入的因素", "not counted, being unknown for some court"),
    "not_known_for": ("不明的有{courts}等 {n} 家", "unknown for {n}: {courts}"),
    "rescaled": ("；其余权重按比例放大", "; the other weights take their place"),
    "weight_now": ("{factor}权重 {now}", "weight of {factor} {now}"),
    "any_weight": ("：无论多少，第一名不变", ": whatever it is, the first stays first"),
    "within": (
        "：在 {low} 至 {high} 之间，第一名不变",
        ": the first stays first from {low} to {high}",
    ),
    "below": ("；低于 {end} 为{court}", "; below {end} it is the {court}"),
    "above": ("；高于 {end} 为{court}", "; above {end} it is the {court}"),
    "to_confirm": ("待核实", "to confirm"),
    "all_confirm": ("各候选法院均待核实", "to confirm of every court"),
    "excluded": ("排除", "excluded"),
    "warnings": ("提示", "Warnings"),
    "of": ("、", ", "),
    "law": ("依据", "Sources"),
}


class Speaker:
    """Says things in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.zh = lang != "en"

    def __call__(self, key: str) -> str:
        return _WORDS[key][0 if self.zh else 1]

    def closed(self, group: str, word: str) -> str:
        """A closed word of the rule language (a kind, a basis, an effect)."""
        return _CLOSED_WORDS.get(f"{group}.{word}", word) if self.zh else word

    def text(self, value: Any) -> str:
        """``{zh, en}`` or a plain text."""
        if isinstance(value, Mapping):
            return str(value.get(self.lang) or value.get("zh") or value.get("en") or "")
        return "" if value is None or isinstance(value, list) else str(value)

    def label(self, word: str, text: str) -> str:
        """``词：文`` or ``Word: text``."""
        return f"{word}：{text}" if self.zh else f"{word}: {text}"

    def joined(self, parts: list[str]) -> str:
        return self("of").join(parts)

    def quoted(self, text: str) -> str:
        """Verbatim words; corner brackets, since the words hold quotation marks themselves."""
        return f"「{text}」"

    def bracketed(self, text: str) -> str:
        return f"〔{text}〕" if self.zh else f"[{text}]"
