"""One measure of supervision in words: its number, its line, what it lacks, why not assessed.

Shared by the page, the spreadsheet and the chart. Counts stand beside every share, and a share
is never rounded onto its line: one case short of a half is not shown as 50 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from eligibility.render.words import Speaker

Entry = dict[str, Any]
Number = int | float | Fraction

MARKS = {True: "✓", False: "✗", None: "·"}
REASONS = {
    "no_cases": ("没有案件", "no cases"),
    "suppressed": ("件数不足", "too few cases"),
    "unknown": ("缺少数字", "figures missing"),
}
_MOST_DECIMALS = 8
_PHRASES = {
    "title": ("监督指标", "Supervision"),
    "running": ("（期间未满）", " (not over yet)"),
    "at_least": ("不低于", "at least"),
    "at_most": ("不高于", "at most"),
    "no_line": ("不设标准线", "no line is drawn"),
    "meets": ("达标", "meets the line"),
    "misses": ("未达标", "misses the line"),
    "more": ("再有 {n} 件且都计入“{of}”即达标", "{n} more, all counted in '{of}', reach the line"),
    "never": ("再增加件数也不能达标", "no number of further cases reaches the line"),
    "lacks": ("还差 {n}", "{n} short of the line"),
    "over": ("超出 {n}", "{n} over the line"),
    "over_cases": ("超出 {n} 件", "{n} cases over the line"),
    "no_cases": ("没有案件，不评价", "no cases: not assessed"),
    "suppressed": (
        "“{per}”不足 {n}，只列件数，不评价",
        "'{per}' under {n}: counts only, not assessed",
    ),
    "unknown": ("缺少：{facts}", "missing: {facts}"),
}


def phrase(key: str, lang: str, **parts: Any) -> str:
    """Words around the texts of the rule base; texts put in are not read for ``{…}`` again."""
    return _PHRASES[key][1 if lang == "en" else 0].format(**parts)


def heading(answer: Entry, lang: str) -> str:
    """Whose figures, and when."""
    say = Speaker(lang)
    court, period = say.text(answer["court"]["label"]), say.text(answer["period"]["label"])
    running = "" if answer["period"]["complete"] else phrase("running", lang)
    title = phrase("title", lang)
    return (
        f"{court} {period}{running} {title}" if say.zh else f"{title}: {court}, {period}{running}"
    )


def figure(measure: Entry, lang: str) -> str:
    """The number itself, or a share with its counts: ``45.5%（5/11）``."""
    value, cases = value_text(measure, lang), counts(measure)
    if not cases or not value:
        return value or cases
    return f"{value} ({cases})" if lang == "en" else f"{value}（{cases}）"


def value_text(measure: Entry, lang: str) -> str:
    """``45.5%``, ``12.5 日``; empty where a share is not assessed."""
    of, per = measure["of"], measure["per"]
    if per is None:
        return Speaker(lang).text(of["shown"])
    if measure["value"] is None:
        return ""
    return percent(of["value"], per["value"], bounds(measure).values())


def counts(measure: Entry) -> str:
    """``5/11``, ``?/11``; empty for a number that is no share."""
    if measure["per"] is None:
        return ""
    values = [number["value"] for number in (measure["of"], measure["per"])]
    return "/".join("?" if value is None else str(value) for value in values)


def bounds(measure: Entry) -> dict[str, int | float]:
    """The lines that are drawn, by ``at_least`` and ``at_most``."""
    line = measure["line"] or {}
    return {key: bound["value"] for key, bound in line.items() if bound is not None}


def percent(of: Number, per: Number, lines: Iterable[Number] = ()) -> str:
    """A share in percent with one decimal; with more where one would round it onto a line,
    onto 0 or onto 100 %.
    """
    share = 100 * _exact(of) / _exact(per)
    apart = [100 * _exact(line) for line in (*lines, 0, 1)]
    decimals = 1
    while decimals < _MOST_DECIMALS and share not in apart and _round(share, decimals) in apart:
        decimals += 1
    return f"{float(_round(share, decimals)):.{decimals}f}%"


def status(measure: Entry, lang: str) -> str:
    """Line and result in one sentence, or why there is none."""
    say = Speaker(lang)
    if measure["reason"] == "suppressed":
        few = measure["suppress_under"]["value"]
        return phrase("suppressed", lang, per=say.text(measure["per"]["label"]), n=few)
    if measure["reason"] == "unknown":
        names = [say.text(fact["label"]) for fact in measure["missing"]]
        return phrase("unknown", lang, facts=say.joined(names))
    if measure["reason"] == "no_cases":
        return phrase("no_cases", lang)
    if measure["line"] is None:
        return phrase("no_line", lang)
    met = measure["meets"]
    result = f"{MARKS[met]} {phrase('meets' if met else 'misses', lang)}"
    parts = [line_text(measure, lang), result, *_distance(measure, say)]
    return ("；" if say.zh else "; ").join(parts)


def line_text(measure: Entry, lang: str) -> str:
    """``不低于 50%``."""
    share = measure["per"] is not None
    shown = [
        f"{phrase(key, lang)} {_plain(100 * _exact(value))}%" if share else
        f"{phrase(key, lang)} {value}"
        for key, value in bounds(measure).items()
    ]  # fmt: skip
    return Speaker(lang).joined(shown)


def _distance(measure: Entry, say: Speaker) -> Iterator[str]:
    more, over, share = measure["more_to_reach"], measure["over"], measure["per"] is not None
    if more and share:
        yield phrase("more", say.lang, n=more, of=say.text(measure["of"]["label"]))
    elif more:
        yield phrase("lacks", say.lang, n=more)
    elif more is None and "at_least" in bounds(measure):
        yield phrase("never", say.lang)
    if over:
        yield phrase("over_cases" if share else "over", say.lang, n=over)


def _exact(number: Number) -> Fraction:
    """What a JSON number says: 0.1 is a tenth."""
    return Fraction(str(number))


def _round(share: Fraction, decimals: int) -> Fraction:
    """Half up."""
    return Fraction(int(share * 10**decimals + Fraction(1, 2)), 10**decimals)


def _plain(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else str(float(number))
