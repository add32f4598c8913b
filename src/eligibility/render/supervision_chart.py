"""Supervision of a court and a period as a chart: SVG text, one bar for each share.

Nothing rests on colour alone: a bar below its line is hatched, a share without a line is
outlined, what is not assessed has no bar, and every row says its result in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from eligibility.render.measures import MARKS, bounds, counts, figure, heading, status, value_text
from eligibility.render.page import columns, wrap
from eligibility.render.words import Speaker

Entry = dict[str, Any]

WIDTH, MARGIN = 1000, 24  # pixels
LABEL_COLUMNS, BAR_FROM, BAR_TO = 30, 290, 770
ROW, BAR, TEXT_LINE = 72, 22, 20
_TEXT_COLUMNS = 68  # of the sentence below a bar
_SCALE = (0, 0.25, 0.5, 0.75, 1)
_FONT = "'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei','PingFang SC',SimHei,sans-serif"
_INK, _SOFT, _GRID = "#1b2430", "#556070", "#d8dee6"
_FILLS = {"met": "#1f5fa8", "missed": "url(#hatch)", "open": "#dfe5ec"}
_EDGES = {"met": "#1f5fa8", "missed": "#a33b0a", "open": "#556070"}
_HATCH = (
    '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="8" height="8" fill="#fbe3d6"/>'
    '<rect width="3" height="8" fill="#a33b0a"/></pattern></defs>'
)
_LEGEND = {
    "met": ("达标", "meets its line"),
    "missed": ("未达标", "misses its line"),
    "open": ("不设标准线", "no line"),
    "none": ("不评价", "not assessed"),
    "line": ("标准线", "line"),
}
# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def supervision_svg(answer: Entry, lang: str = "zh") -> str:
    """The chart as a document of its own; well-formed whatever the texts hold."""
    return "".join(_Chart(answer, Speaker(lang)).document()) + "\n"


def xml_text(text: str) -> str:
    """A text as it may stand between tags or in an attribute."""
    return escape(_NOT_XML.sub("\ufffd", text), {'"': "&quot;"})


class _Chart:
    def __init__(self, answer: Entry, say: Speaker) -> None:
        self.answer, self.say = answer, say
        self.rows = [(rule, m) for rule in answer["rules"] for m in rule["measures"]]
        self.y = 0.0

    def document(self) -> Iterator[str]:
        title = heading(self.answer, self.say.lang)
        body = [*self.head(title), *self.axis()]
        for rule, measure in self.rows:
            body += self.row(rule, measure)
        body += self.legend()
        height = self.y + MARGIN
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
            f'viewBox="0 0 {WIDTH} {height:g}" role="img" font-family="{_FONT}" fill="{_INK}">'
        )
        yield f"<title>{xml_text(title)}</title>"
        yield f"<desc>{xml_text(self.description())}</desc>"
        yield f'{_HATCH}<rect width="100%" height="100%" fill="#ffffff"/>'
        yield from body
        yield "</svg>"

    def description(self) -> str:
        """The whole chart in words, for those who do not see it."""
        say, lang = self.say, self.say.lang
        told = [
            f"{say.label(say.text(m['label']), figure(m, lang))} {status(m, lang)}"
            for _, m in self.rows
        ]
        return "\n".join(told)

    # --- parts ---------------------------------------------------------------------------------

    def head(self, title: str) -> Iterator[str]:
        self.y = MARGIN
        for line in fitted(title, 90):
            self.y += 26
            yield text_at(MARGIN, self.y, line, 20, bold=True)
        self.y += 44

    def axis(self) -> Iterator[str]:
        """The scale of the shares, above the rows."""
        shares = any(measure["per"] is not None for _, measure in self.rows)
        for share in _SCALE if shares else ():
            label = f"{share * 100:g}%"
            yield text_at(position(share), self.y - 8, label, 12, "middle", _SOFT)

    def height(self, measure: Entry) -> float:
        labels = len(fitted(self.say.text(measure["label"]), LABEL_COLUMNS))
        below = len(fitted(status(measure, self.say.lang), _TEXT_COLUMNS))
        return max(ROW + (below - 1) * TEXT_LINE, (labels + 2) * TEXT_LINE)

    def row(self, rule: Entry, measure: Entry) -> Iterator[str]:
        say, top = self.say, self.y + 8
        middle, label = top + BAR / 2 + 5, say.text(measure["label"])
        yield f"<g><title>{xml_text(label)}</title>"
        for number, line in enumerate(fitted(label, LABEL_COLUMNS)):
            yield text_at(MARGIN, middle + number * TEXT_LINE, line, 15)
        lines = len(fitted(label, LABEL_COLUMNS))
        yield text_at(MARGIN, middle + lines * TEXT_LINE, rule["id"], 12, fill=_SOFT)
        if measure["per"] is not None:
            yield self.bar(measure, top)
            yield from self.lines(measure, top)
        yield from self.figure(measure, middle)
        for number, line in enumerate(fitted(status(measure, say.lang), _TEXT_COLUMNS)):
            y = (top + BAR + TEXT_LINE if measure["per"] else middle) + TEXT_LINE * number
            yield text_at(BAR_FROM, y, line, 13, fill=_SOFT)
        yield "</g>"
        self.y += self.height(measure)

    def figure(self, measure: Entry, y: float) -> Iterator[str]:
        """The number beside the bar, the counts of a share below it."""
        value, cases = value_text(measure, self.say.lang), counts(measure)
        mark = MARKS[measure["meets"]]
        yield text_at(BAR_TO + 20, y, f"{mark} {value or cases}", 15, bold=bool(value))
        if value and cases:
            yield text_at(BAR_TO + 38, y + TEXT_LINE, cases, 13, fill=_SOFT)

    def bar(self, measure: Entry, top: float) -> str:
        whole = BAR_TO - BAR_FROM
        if measure["value"] is None:
            return box(BAR_FROM, top, whole, BAR, "none", _SOFT, dashed=True)
        kind = {True: "met", False: "missed", None: "open"}[measure["meets"]]
        track = box(BAR_FROM, top, whole, BAR, "#ffffff", _GRID)
        for share in _SCALE:
            track += stroke(position(share), top - 4, position(share), top + BAR + 4, _GRID, 1)
        length = position(measure["value"]) - BAR_FROM
        return track + box(BAR_FROM, top, length, BAR, _FILLS[kind], _EDGES[kind])

    def lines(self, measure: Entry, top: float) -> Iterator[str]:
        for value in bounds(measure).values():
            if 0 <= value <= 1:
                yield line_mark(position(value), top)

    def legend(self) -> Iterator[str]:
        """Only what the chart shows."""
        kinds = [self.kind(measure) for _, measure in self.rows if measure["per"] is not None]
        drawn = any(bounds(m) for _, m in self.rows if m["per"] is not None)
        self.y += 14
        yield stroke(MARGIN, self.y, WIDTH - MARGIN, self.y, _GRID, 1)
        self.y += 16
        x: float = MARGIN
        for name, words in _LEGEND.items():
            if name not in kinds and not (name == "line" and drawn):
                continue
            word = words[0 if self.say.zh else 1]
            yield self.sample(name, x)
            yield text_at(x + 38, self.y + 13, word, 13)
            x += 38 + columns(word) * 8 + 32
        self.y += 40
        yield text_at(MARGIN, self.y, self.say.text(self.answer["notice"]), 12, fill=_SOFT)

    def kind(self, measure: Entry) -> str:
        if measure["value"] is None:
            return "none"
        return {True: "met", False: "missed", None: "open"}[measure["meets"]]

    def sample(self, name: str, x: float) -> str:
        if name == "line":
            return line_mark(x + 15, self.y, 16)
        if name == "none":
            return box(x, self.y, 30, 16, "none", _SOFT, dashed=True)
        return box(x, self.y, 30, 16, _FILLS[name], _EDGES[name])


# --- shapes --------------------------------------------------------------------------------------


def position(share: float) -> float:
    """The x of a share on the scale."""
    return round(BAR_FROM + (BAR_TO - BAR_FROM) * share, 2)


def fitted(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns; a word that is longer is cut."""
    out = []
    for line in wrap(" ".join(text.split()), width):
        while columns(line) > width:
            size = next(n for n in range(len(line), 0, -1) if columns(line[:n]) <= width)
            out.append(line[:size])
            line = line[size:]
        out.append(line)
    return out


def text_at(
    x: float,
    y: float,
    text: str,
    size: int,
    anchor: str = "start",
    fill: str = _INK,
    bold: bool = False,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{fill}"{weight}>{xml_text(text)}</text>'
    )


def box(
    x: float, y: float, width: float, height: float, fill: str, edge: str, dashed: bool = False
) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1"{dash}/>'
    )


def stroke(x1: float, y1: float, x2: float, y2: float, colour: str, width: int) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def line_mark(x: float, top: float, height: float = BAR) -> str:
    """A line across a bar, with a point above it, so that it is seen on any fill."""
    edge = 'stroke="#ffffff" stroke-width="1"'
    return (
        f'<rect x="{x - 1.5:g}" y="{top - 4:g}" width="3" height="{height + 8:g}" '
        f'fill="{_INK}" {edge}/>'
        f'<path d="M{x - 6:g} {top - 10:g}h12l-6 8z" fill="{_INK}" {edge}/>'
    )
