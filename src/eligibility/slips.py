"""Slips of typing that a Chinese input method makes, told in words that mend them.

A parser sees them late and says little: ``层级：report_bar`` is a text to it, and the
fault is reported a line below. What is looked for here is what an author typed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from eligibility.errors import Text

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\'\'|[^\'])*\'|(?:^|(?<=\s))#.*')
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_MARKS = {"［": "[", "］": "]", "【": "[", "】": "]", "｛": "{", "｝": "}"}
_KEY = r"[^\s:：,，\[\]{}【】｛｝\"'“”#$-][^\s:：,，\[\]{}【】｛｝\"'“”#]{0,39}"


class Slip(NamedTuple):
    """A slip in a text: the column (from 1), what is wrong and what to write instead."""

    column: int
    text: Text
    line: int = 0


def _full_width(mark: str, instead: str) -> Text:
    return Text(
        f"“{mark}”是全角符号，请写半角“{instead}”",
        f"'{mark}' is a full-width character: write '{instead}'",
    )


def _colon(_: str) -> Text:
    return Text(
        "“：”是全角冒号，请写半角“: ”并在其后加空格",
        "'：' is a full-width colon: write ': ' with a space after it",
    )


def _comma(_: str) -> Text:
    return Text(
        "“，”是全角逗号，请写半角“, ”并在其后加空格",
        "'，' is a full-width comma: write ', ' with a space after it",
    )


def _tab(_: str) -> Text:
    return Text("此处是制表符（Tab），请改为空格", "a tab stands here: write spaces")


def _dash(_: str) -> Text:
    return Text("“-”之后请加空格，写作“- …”", "put a space after '-': write '- …'")


def _wide_dash(_: str) -> Text:
    return Text("“－”是全角符号，请写半角“- ”", "'－' is a full-width dash: write '- '")


def _space(_: str) -> Text:
    return Text("冒号之后请加空格，写作“: ”", "put a space after the colon: write ': '")


def _quotes(_: str) -> Text:
    return Text('请用半角引号 " " 代替“”', 'write straight quotes " " instead of curly ones')


# In the order of what most likely broke the line; the group marks the place.
_PATTERNS = (
    (re.compile(r"^\s*?(\t)"), _tab),
    (re.compile(r"(?:^|[:\-\[{,，]\s*)([【】｛｝［］])"), lambda m: _full_width(m, _MARKS[m])),
    (re.compile(r"([】｝］])\s*[,}\]]*\s*$"), lambda m: _full_width(m, _MARKS[m])),
    (re.compile(r"^\s*(－)"), _wide_dash),
    (re.compile(r"^\s*(?:- )*(-)(?=[^\s\-\d])"), _dash),
    (re.compile(rf"^\s*(?:-\s*)?{_KEY}(：)"), _colon),
    (re.compile(rf"[{{｛,，]\s*{_KEY}(：)"), _colon),
    (re.compile(rf"^\s*(?:-\s*)?{_KEY}(:)(?=[^\s/])"), _space),
    (re.compile(rf"[{{,，]\s*{_KEY}(:)(?=[^\s/])"), _space),
    (re.compile(rf"[{{\[][^{{}}\[\]]*?(，)\s*{_KEY}\s*[:：]"), _comma),
    (re.compile(r"[\[{][^\[\]{}]*?(，)"), _comma),
    (re.compile(r"(?:[:\-\[{,]\s*)(“)"), _quotes),
    (re.compile(r"(＄)"), lambda m: _full_width(m, "$")),
)
# What is said of a line that an error points at is said of values too; see `in_value`.
_INDENTING = ("mapping", "block", "key", "'-' indicator", "expected ':'")


def find(text: str, line: int, complaint: str) -> Slip | None:
    """The slip near a line (from 1) where a parser stopped: there or up to two lines above."""
    lines = text.split("\n")
    near = [n for n in range(line, line - 3, -1) if 1 <= n <= len(lines)]
    for n in near:
        slip = in_line(lines[n - 1])
        if slip is not None:
            return slip._replace(line=n)
    if any(word in complaint for word in _INDENTING):
        for n in near[:2]:
            slip = _indentation(lines, n)
            if slip is not None:
                return slip
    return None


def in_line(line: str) -> Slip | None:
    """The slip in one line of YAML; what stands in quotes or a comment is no slip."""
    bare = _QUOTED.sub(lambda m: "_" * len(m[0]), line)
    for pattern, say in _PATTERNS:
        match = pattern.search(bare)
        if match:
            return Slip(match.start(1) + 1, say(match[1]))
    return None


def _indentation(lines: Sequence[str], line: int) -> Slip | None:
    """A line that stands at no column that is open above it."""
    columns: list[int] = []
    before = ""
    for text in lines[: line - 1]:
        if text.strip() and not text.lstrip().startswith("#"):
            columns = [c for c in columns if c <= _indent(text)] + _columns(text)
            before = text
    here = lines[line - 1]
    if not here.strip() or not columns:
        return None
    indent = _indent(here)
    deeper = indent > max(columns) and not before.rstrip().endswith((":", "-", "|", ">"))
    if indent in columns or (indent > max(columns) and not deeper):
        return None
    wanted = min(columns, key=lambda c: (abs(c - indent), -c))
    return Slip(
        indent + 1,
        Text(
            f"此行缩进 {indent} 格，与上文不齐，请缩进 {wanted} 格",
            f"this line is indented by {indent}, out of line with those above: "
            f"indent it by {wanted}",
        ),
        line,
    )


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _columns(text: str) -> list[int]:
    """The columns that a line opens: its own, and one after each ``- ``."""
    found = [_indent(text)]
    while text[found[-1] :].startswith("- "):
        rest = text[found[-1] + 2 :]
        found.append(found[-1] + 2 + len(rest) - len(rest.lstrip(" ")))
    return found


# --- values --------------------------------------------------------------------------------


def in_value(raw: str) -> Text | None:
    """What to write instead of a value that is not accepted, where a slip explains it."""
    text = raw.strip()
    if not text:
        return None
    if any(c in _MARKS for c in (text[0], text[-1])):
        mark = text[0] if text[0] in _MARKS else text[-1]
        half = "[…]" if _MARKS[mark] in "[]" else "{…}"
        return Text(
            f"请用半角“{half}”，各项之间用半角逗号",
            f"write '{half}' with commas between the entries",
        )
    if text[0] == "-" and len(text) > 1 and not text[1].isspace() and not text[1].isdigit():
        return _dash("")
    if text[0] == "－":
        return _wide_dash("")
    if text[0] == "＄":
        return Text(f"请写半角“${text[1:41]}”", f"write '${text[1:41]}'")
    number = _number(text)
    if number:
        return Text(f"请写“{number}”", f"write '{number}'")
    if re.match(rf"{_KEY}：", text):
        return _colon("")
    if "，" in text or "、" in text:
        return Text(
            "各项之间请用半角逗号“, ”，不用“，”“、”",
            "put ', ' between the entries, not '，' or '、'",
        )
    return None


def _number(text: str) -> str:
    """The plain number in ``３０``, ``30日`` or ``三十``; empty where there is none."""
    match = re.fullmatch(
        r"(\d{1,9}|[零〇一二两三四五六七八九十百]{1,9})\s*(日|天|个月|月|元|件|次|days?|months?)?",
        text,
    )
    if match is None:
        return ""
    digits = match[1]
    value = str(int(digits)) if digits.isdecimal() else _chinese(digits)
    return value if value != text else ""


def _chinese(digits: str) -> str:
    """A Chinese numeral below a thousand as digits; empty where it is none."""
    total, digit = 0, 0
    for char in digits:
        if char in "十百":
            total += (digit or 1) * (10 if char == "十" else 100)
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[char]
    return str(total + digit)


# --- a parser's complaint ------------------------------------------------------------------

_CHINESE = {
    "mapping values are not allowed in this context": "此处不应有冒号，多半是缩进、引号或空格有误",
    "could not find expected ':'": "键的后面缺少“: ”",
    "did not find expected key": "此处应为一个键，多半是缩进不齐或引号不成对",
    "did not find expected '-' indicator": "此处应为以“- ”开头的一项，多半是缩进不齐",
    "did not find expected ',' or ']'": "[ ] 中缺少逗号或右括号",
    "did not find expected ',' or '}'": "{ } 中缺少逗号或右括号",
    "did not find expected node content": "此处缺少内容",
    "did not find expected <document start>": "此处应为一个键，多半是缩进不齐",
    "found character that cannot start any token": "此处的字符不能作值的开头，请给值加引号",
    "found unexpected end of stream": "引号没有结束",
    "found unexpected document indicator": "引号之内不能有单独成行的 --- 或 ...",
    "found unknown escape character": "双引号之中“\\”的写法不对，请写“\\\\”",
    "block sequence entries are not allowed in this context": "此处不能写“- ”，请另起一行",
    "found a tab character where an indentation space is expected": "缩进用了制表符，请改为空格",
    "control characters are not allowed": "含有不可见的控制字符，请删去",
}


def complaint(problem: str) -> Text:
    """A message of the YAML parser in two languages."""
    english = " ".join(problem.split())
    return Text(_CHINESE.get(english, english), english)
