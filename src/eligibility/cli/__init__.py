"""The command line: thin, one module for each group of commands.

Exit codes: 0 done, 1 checked and found wanting, 2 bad input or usage (one line on
stderr, its code first). Today's date is read here and nowhere below.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eligibility.errors import EligibilityError, Problem, Text

if TYPE_CHECKING:
    import typer

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    import typer

    from eligibility.cli.app import app
    from eligibility.cli.output import BAD_INPUT, OutputFailed, ReaderLeft, complain

    try:
        given = None if arguments is None else list(arguments)
        code = app(given, prog_name="eligibility", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except OutputFailed as error:
        _drop_output()
        complain(error.problems)
    except EligibilityError as error:
        complain(error.problems)
    except typer.TyperException as error:
        complain([Problem("usage", _usage(error))])
    except typer.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except ReaderLeft:
        # It has what it wanted (``| head``).
        _drop_output()
        return 0
    return BAD_INPUT


def _drop_output() -> None:
    """Stdout goes nowhere from here on: the interpreter must not fail flushing it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: typer.TyperException) -> Text:
    """What typer found, without the words of the library that it checks values with."""
    words = " ".join(error.format_message().split())
    words = words.replace("Value error, ", "").replace("Input should be", "must be")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "eligibility"
    value = re.search(r"Invalid value for '([^']+)'", words)
    zh = f"{value[1]} 的值不可用" if value else "命令用法不对"
    return Text(f"{zh}，见 {command} --help", words)
