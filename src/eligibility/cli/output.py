"""What commands share: printing for people and for programs, complaints, reading files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from eligibility.errors import EligibilityError, MalformedInput, Problem, Text

if TYPE_CHECKING:
    from eligibility.courts.register import Register
    from eligibility.render import Page
    from eligibility.rulebase.model import Court, Rulebase

FOUND_WANTING = 1
BAD_INPUT = 2
SHOWN_PROBLEMS = 4
LONGEST_COMPLAINT = 1_000
MAX_FILE_BYTES = 16_000_000
WIDEST = 100
UNBOUNDED = 1_000_000


class Lang(StrEnum):
    """The language of what is printed."""

    zh = "zh"
    en = "en"


RulesOption = Annotated[
    str | None,
    typer.Option(
        "--rules", metavar="DIR", help="规则目录 / rule base folder (else ELIGIBILITY_RULES)"
    ),
]
LangOption = Annotated[Lang, typer.Option("--lang", help="语言 / language")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


# --- printing -----------------------------------------------------------------------------------


class ReaderLeft(Exception):
    """Nobody reads what is printed any more; not an error."""


class OutputFailed(MalformedInput):
    """What is printed cannot be written, for instance because the disk is full."""


def _cannot_write(error: OSError, place: str) -> Problem:
    why = error.strerror
    return Problem("cannot_write", Text(f"无法写入：{why}", f"cannot write: {why}"), place)


def emit(text: str) -> None:
    """Write to stdout, now."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderLeft from None
    except OSError as error:
        raise OutputFailed(_cannot_write(error, "stdout")) from None


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    emit(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_page(page: Page, wrapped: bool = True) -> None:
    """A page for people: wrapped to the terminal, styled only where there is one."""
    terminal = sys.stdout.isatty()
    width = min(os.get_terminal_size().columns, WIDEST) if terminal else WIDEST
    styled = terminal and "NO_COLOR" not in os.environ
    emit(page.text(width if wrapped else UNBOUNDED, styled))


def complain(problems: Sequence[Problem]) -> None:
    """One line on stderr, its code first, however many problems there are."""
    first = problems[0]
    parts = []
    for problem in problems[:SHOWN_PROBLEMS]:
        line = (
            problem.line() if str(problem.message.zh) != problem.message.en else problem.line("en")
        )
        prefix = f"{problem.place}: " if str(problem.place) else ""
        code = f"{problem.code}: "
        line = line.removeprefix(prefix).removeprefix(code)
        parts.append(
            f"{code if problem is first or problem.code != first.code else ''}{prefix}{line}"
        )
    rest = len(problems) - SHOWN_PROBLEMS
    if rest > 0:
        parts.append(f"另有 {rest} 处 / {rest} more")
    text = "; ".join(parts)
    if len(text) > LONGEST_COMPLAINT:
        text = text[:LONGEST_COMPLAINT] + "…"
    printable = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    sys.stderr.write(printable + "\n")


# --- reading ------------------------------------------------------------------------------------


def refuse(code: str, zh: str, en: str, place: str = "") -> NoReturn:
    """Bad input: the one line is written by :func:`eligibility.cli.run`."""
    raise MalformedInput(Problem(code, Text(zh, en), place))


def read_file(name: str) -> str:
    """The text of a file, ``-`` for stdin."""
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        refuse("cannot_read", f"无法读取：{reason}", f"cannot be read: {reason}", name)
    if len(raw) > MAX_FILE_BYTES:
        refuse("too_large", "文件过大", f"is larger than {MAX_FILE_BYTES} bytes", name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse("not_utf8", "文件不是 UTF-8 编码", "the file is not UTF-8", name)


def write_file(name: str, text: str) -> None:
    """Write a file; what the operating system refuses is the user's to mend."""
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise MalformedInput(_cannot_write(error, name)) from None


def located(error: EligibilityError, name: str) -> EligibilityError:
    """The same error with the file's name before each place."""
    problems = [
        Problem(
            p.code,
            p.message,
            str(p.place) if str(p.place).startswith(name) else f"{name}: {p.place}".rstrip(": "),
            p.rule,
            p.hint,
            p.allowed,
        )
        for p in error.problems
    ]
    return type(error)(problems)


def day_named(text: str | None, what: str) -> date | None:
    """A day given as an option or in a file."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else refuse_day(text, what)
    except ValueError:
        refuse_day(text, what)


def today() -> date:
    """The local day; read here and handed down."""
    return datetime.now(UTC).astimezone().date()


def refuse_day(text: str, what: str) -> NoReturn:
    refuse(
        "bad_date",
        f"“{text[:40]}”不是日期，应写作 2024-01-31",
        f"'{text[:40]}' is not a date such as 2024-01-31",
        what,
    )


def court_named(register: Register, name: str) -> Court:
    """The court of the register with this id, name or alias."""
    found = register.find(name)
    if found is None:
        refuse(
            "unknown_court",
            f"法院名录中没有“{name[:40]}”",
            f"the court register has no '{name[:40]}'",
        )
    return found


def rules_of(folder: str | None) -> Rulebase:
    """The rule base asked for, checked."""
    from eligibility.rulefiles import load_rules

    return load_rules(folder)
