"""What can go wrong, said so that the person who caused it can mend it.

Errors are part of the interface: every one has a stable ``code`` (documented in
``docs/errors.md``), a place (``file:line:column`` in a rule base, a JSON path in a
case), one sentence in Chinese and English, and where possible what to write instead.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Text(NamedTuple):
    """A text in the two languages of the product."""

    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}

    def in_language(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh


EMPTY = Text("", "")
_ID = re.compile(r"([a-z]+-?)[0-9]+[a-z]?")
_QUOTES = " \t\"'“”‘’「」『』【】[]"
_SHORT = 3  # a Chinese word this short is half wrong with one character
_SURE = 0.8


class Span(NamedTuple):
    """A place in a file of the rule base; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Span("", 0, 0)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    ``place`` is a :class:`Span` or a JSON path such as ``properties[0].seizure_rank``;
    ``hint`` says what to write instead; ``allowed`` lists the values that would do.
    """

    code: str
    message: Text
    place: Span | str = ""
    rule: str = ""
    hint: Text | None = None
    allowed: tuple[str, ...] = ()

    def line(self, lang: str | None = None) -> str:
        """The problem on one line; both languages unless ``lang`` names one."""
        parts = [f"{self.place}:"] if str(self.place) else []
        parts.append(f"{self.code}:")
        if self.rule:
            parts.append(f"[{self.rule}]")
        for name in ("zh", "en"):
            if lang not in (None, name):
                continue
            if name == "en" and lang is None:
                parts.append("/")
            parts.append(self.sentence(name))
        return " ".join(" ".join(parts).split())

    def sentence(self, lang: str) -> str:
        """What is wrong and what to write instead, in one language."""
        said = self.message.in_language(lang)
        if self.hint is None:
            return said
        join = "; " if lang == "en" else "；"
        return said.rstrip("。.；; ") + join + self.hint.in_language(lang)

    def as_dict(self) -> dict[str, object]:
        """The JSON shape used by every producer: check, API and command line."""
        out: dict[str, object] = {
            "path": str(self.place),
            "code": self.code,
            "message": self.message.as_dict(),
        }
        if self.rule:
            out["rule"] = self.rule
        if self.hint:
            out["hint"] = self.hint.as_dict()
        if self.allowed:
            out["allowed"] = list(self.allowed)
        return out


class EligibilityError(Exception):
    """Root of the error tree; carries one or more problems.

    ``status`` is the HTTP status that the API answers with.
    """

    status = 400

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("; ".join(p.line() for p in self.problems))

    @property
    def code(self) -> str:
        return self.problems[0].code if self.problems else "error"


class MalformedInput(EligibilityError):
    """The input is not a document at all: broken JSON, too deep, not a number."""


class FactsError(EligibilityError):
    """The facts of a case do not fit the dictionary."""

    status = 422


class RulebaseError(EligibilityError):
    """The rule base has faults; it is refused whole."""

    status = 422


class NotFound(EligibilityError):
    """Something was named that does not exist: a rule, a source, a profile."""

    status = 404


class Conflict(EligibilityError):
    """Something of this name is kept already, and says otherwise."""

    status = 409


class EngineError(EligibilityError):
    """An engine failed or the two engines disagree: there is no decision.

    ``evidence``: for the log, the rules concerned and what each engine found; no facts.
    """

    status = 503
    evidence = ""


def nearest(word: str, known: Sequence[str] | Iterable[str]) -> Text | None:
    """A hint naming the known word closest to ``word``, or None if nothing is close.

    Width, case and quotes do not count. Of an id such as ``XB-09`` the letters are its
    kind: one with other letters is another thing, however close it looks.
    """
    folded: dict[str, str] = {}
    for option in known:
        folded.setdefault(_fold(option), option)
    wanted = _fold(word)
    series = _ID.fullmatch(wanted)
    if series:
        folded = {f: o for f, o in folded.items() if f.startswith(series[1]) and _ID.fullmatch(f)}
    match = _closest(wanted, folded)
    if match is None:
        return None
    return Text(f"是否想写“{folded[match]}”？", f"did you mean '{folded[match]}'?")


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", word).strip(_QUOTES).casefold()


def _closest(word: str, options: Iterable[str]) -> str | None:
    known = list(options)
    if not word or word in known:
        return word or None
    short = len(word) <= _SHORT and not word.isascii()
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5 if short else 0.6)
    if near and difflib.SequenceMatcher(None, near[0], word).ratio() >= _SURE:
        return near[0]
    least = 3 if word.isascii() else 2
    longer = [k for k in known if len(word) >= least and k.startswith(word)]
    return min(longer, key=len, default=near[0] if near else None)
