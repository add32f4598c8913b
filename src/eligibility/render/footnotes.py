"""Footnotes of a document: the source of every statement, verbatim, and what it rests on.

A statement is law, reported practice or a proposal of this rule base, and its footnote says
which: a proposal never looks like law. A reference gets its number when it is printed, so
that notes are numbered in the order in which a reader meets them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from markupsafe import Markup

from eligibility.render.characters import one_line
from eligibility.rulebase.model import ParameterValue, Rule, Rulebase, Source
from eligibility.rulebase.shape import BASES

Entry = dict[str, Any]

NOT_LAW = "不是法律规定"
_SOURCE_BASIS = {"statute": "statute", "article": "reported", "public": "reported"}
_RUN = 3  # numbers in a row that are written as a range


class Reference:
    """A place in a text that refers to notes; it is numbered when a template prints it."""

    def __init__(self, notes: Footnotes, keys: Iterable[str] = ()) -> None:
        self.notes = notes
        self.keys = tuple(dict.fromkeys(keys))

    def __bool__(self) -> bool:
        return bool(self.keys)

    def __add__(self, other: Reference) -> Reference:
        return Reference(self.notes, (*self.keys, *other.keys))

    def __html__(self) -> str:
        return self.notes.printed(self.keys)


class Footnotes:
    """The notes of one part of a document; ``part`` keeps the anchors of several apart."""

    def __init__(self, rulebase: Rulebase, profile: str, part: str = "") -> None:
        self.rulebase = rulebase
        self.profile = profile
        self.part = part
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._cited: dict[str, tuple[str, ...]] = {}
        self._writers: dict[str, Callable[[str], str]] = {}

    # --- what is cited ---------------------------------------------------------------------------

    def source(self, *names: str) -> Reference:
        """Sources by id: title, place, quotes, and whether it is law or a report."""
        return Reference(self, [self._source(name) for name in names])

    def rule(self, rule_id: str, told: Entry) -> Reference:
        """A rule and its sources; ``told`` has title, basis, proposed_parts and citations."""
        word = "参照" if told["basis"] == "proposed" else "依据"
        text = self._rule_text(rule_id, told)
        return self._citing(f"rule {rule_id}", text, word, told["citations"])

    def parameter(self, name: str, day: date, value: Any = None) -> Reference:
        """The value of a parameter on a day, and its sources.

        Nothing is noted where there is none, or where ``value`` is another one (it came
        from another rule base).
        """
        found = None
        if name in self.rulebase.parameters:
            found = self.rulebase.parameter_value(name, self.profile, day)
        if found is None or value not in (None, found.value):
            return Reference(self)
        word = "参照" if found.basis == "proposed" else "依据"
        text = self._parameter_text(name, found)
        return self._citing(f"parameter {name} {found.value}", text, word, found.citations)

    def decision(self, body: Entry) -> Reference:
        """The decision that a statement is drawn from."""
        base = body["rulebase"]
        text = (
            f"审查决定 {body.get('decision_id') or '（未留存）'}，审查基准日 {body['as_of']}，"
            f"规则库 {base['version']} {base['digest'][:19]}。系统的建议，由法院决定。"
        )
        return self._citing("decision", text, "", ())

    def _source(self, name: str) -> str:
        found, key = self.rulebase.sources.get(name), f"source {name}"
        text = f"{name}（规则库未载此来源，签发前须核对原文）。" if found is None else _told(found)
        self._writers.setdefault(key, lambda _: text)
        return key

    def _citing(self, key: str, text: str, word: str, sources: Iterable[str]) -> Reference:
        keys = tuple(self._source(name) for name in sources)
        self._cited.setdefault(key, keys)
        self._writers.setdefault(key, lambda found: text + (f"{word}{found}。" if found else ""))
        return Reference(self, (key, *keys))

    # --- numbers ---------------------------------------------------------------------------------

    def printed(self, keys: Iterable[str]) -> Markup:
        """The numbers of notes as they stand in a text."""
        parts = []
        for run in _runs(sorted({self._number(key) for key in keys})):
            several = len(run) >= _RUN
            links = [self._link(number) for number in ([run[0], run[-1]] if several else run)]
            parts.append(Markup("–" if several else "").join(links))
        return Markup('<sup class="ref">{}</sup>').format(Markup("").join(parts))

    def _number(self, key: str) -> int:
        """The number of a note; its text is written when it is first referred to."""
        if key not in self._numbers:
            self.texts.append("")
            number = self._numbers[key] = len(self.texts)
            cited = [self._number(other) for other in self._cited.get(key, ())]
            written = self._writers[key]("".join(f"[{n}]" for n in cited))
            self.texts[number - 1] = one_line(written)
        return self._numbers[key]

    def _link(self, number: int) -> Markup:
        link = '<a href="#note-{}{}">[{}]</a>'
        return Markup(link).format(self.part, number, number)

    # --- texts -----------------------------------------------------------------------------------

    def _rule_text(self, rule_id: str, told: Entry) -> str:
        parts = "、".join(f"“{part['zh']}”" for part in told["proposed_parts"])
        text = f"规则 {rule_id}《{told['title']['zh']}》〔{_basis(told['basis'])}〕。"
        if parts:
            text += f"其中{parts}属于建议，{NOT_LAW}。"
        rule, proposed = self.rulebase.rules.get(rule_id), told["basis"] == "proposed"
        if proposed and rule_id in self.rulebase.adopted(self.profile):
            text += "本辖区规则采纳此建议。"
        if proposed and rule is not None:
            text += _ground(rule.ground.zh)
        return text

    def _parameter_text(self, name: str, found: ParameterValue) -> str:
        parameter = self.rulebase.parameters[name]
        text = f"参数“{parameter.label.zh}”：{found.value}〔{_basis(found.basis)}〕。"
        if parameter.set_by.zh:
            text += f"确定者：{parameter.set_by.zh}。"
        return text + _ground(found.ground.zh)


def rule_told(rule: Rule) -> Entry:
    """A rule of the rule base in the form in which decisions and duties tell theirs."""
    return {
        "title": rule.title.as_dict(),
        "basis": rule.basis,
        "proposed_parts": [part.as_dict() for part in rule.proposed_parts],
        "citations": list(rule.citations),
    }


def _basis(name: str) -> str:
    word = BASES.words.get(name, name)
    return f"{word}，{NOT_LAW}" if name == "proposed" else word


def _ground(text: str) -> str:
    return f"理由：{text.rstrip('。')}。" if text else ""


def _told(source: Source) -> str:
    title, place = source.title.zh, source.locator
    where = f" {place}" if place and place not in title else ""
    quotes = "".join(f"「{quote}」" for quote in source.quotes)
    basis = BASES.words.get(_SOURCE_BASIS.get(source.kind, ""), source.kind)
    text = f"{source.id} {title}{where}：{quotes}〔{basis}〕。"
    if not source.verified:
        text += "引自转载，未与原件核对。"
    if source.note.zh:
        text += f"{source.note.zh.rstrip('。')}。"
    return f"{text}{source.url}"


def _runs(numbers: list[int]) -> list[list[int]]:
    """The numbers in groups that follow each other."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][-1] + 1:
            out[-1].append(number)
        else:
            out.append([number])
    return out
