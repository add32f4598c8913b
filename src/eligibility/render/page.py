"""Plain text for people: indents, columns that know Chinese characters, optional styles."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_ANSI = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "title": "1;36"}
_NOT_FIRST = frozenset("，。；：？！、）〕】》」』”’,.;:?!)]}…%")
_NOT_LAST = frozenset("（〔【《「『“‘([{")


def columns(text: str) -> int:
    """The columns a text takes in a terminal; Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


@dataclass(slots=True)
class Page:
    """Lines with an indent and a style; laid out only when the width is known."""

    lines: list[tuple[int, str, str, str]] = field(default_factory=list)

    def add(self, text: str, indent: int = 0, style: str = "", lead: str = "") -> None:
        """A line; ``lead`` (a mark, an id) hangs before it where the line is wrapped."""
        self.lines.append((indent, lead, text, style))

    def title(self, text: str) -> None:
        self.lines += [(0, "", "", ""), (0, "", text, "title")]

    def table(self, rows: Sequence[Sequence[str]], indent: int = 0, head: bool = False) -> None:
        """Rows in aligned columns; the last column is the one that wraps."""
        if not rows:
            return
        widths = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        for number, row in enumerate(rows):
            cells = [padded(cell, width) for cell, width in zip(row, widths, strict=False)]
            style = "bold" if head and number == 0 else ""
            self.add(row[-1], indent, style, "  ".join([*cells, ""]))

    def text(self, width: int = 100, styled: bool = False) -> str:
        """The page as text."""
        out = []
        for indent, lead, text, style in self.lines:
            first = " " * indent + lead
            room = max(width - columns(first), 20)
            pieces = wrap(text, room)
            rest = "\n" + " " * columns(first)
            line = (first + rest.join(pieces)).rstrip()
            if styled and style and line.strip():
                line = f"\x1b[{_ANSI[style]}m{line}\x1b[0m"
            out.append(line)
        return "\n".join(out) + "\n" if out else ""


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns: broken at spaces, or between Chinese characters."""
    if columns(text) <= width:
        return [text]
    lines, line, used = [], "", 0
    for word in _words(text):
        size = columns(word)
        if used + columns(word.rstrip()) > width and line:
            lines.append(line.rstrip())
            line, used = "", 0
            word = word.lstrip()
            size = columns(word)
        line, used = line + word, used + size
    return [*lines, line.rstrip()] if line.strip() else lines


def _words(text: str) -> Iterator[str]:
    """Pieces that must stay together."""
    word = ""
    for i, char in enumerate(text):
        word += char
        after = text[i + 1] if i + 1 < len(text) else ""
        wide = columns(char) == 2 or columns(after) == 2
        if (char == " " or wide) and after not in _NOT_FIRST and char not in _NOT_LAST:
            yield word
            word = ""
    if word:
        yield word
