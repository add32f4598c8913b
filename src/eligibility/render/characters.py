"""Texts of others made fit to print: what a file format or a reader's eye cannot hold."""

from __future__ import annotations

import re

# Controls, line ends of other systems, marks that turn the reading direction, half characters.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """The text with every unfit character shown as U+FFFD; tabs and line ends stay."""
    return _UNFIT.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text on one line: runs of white space, line ends included, become one space."""
    return printable(" ".join(text.split()))
