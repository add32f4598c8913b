"""The command line: thin, one module for each group of commands.

Exit codes: 0 done, 1 checked and found wanting, 2 bad input or usage (one line on
stderr, its code first). Today's date is read here and nowhere below.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from eligibility.errors import EligibilityError, Problem, Text

FOUND_WANTING = 1
BAD_INPUT = 2
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
    from eligibility.cli.output import ReaderLeft, complain

    try:
        given = None if arguments is None else list(arguments)
        code = app(given, prog_name="eligibility", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except EligibilityError as error:
        complain(error.problems)
    except typer.TyperException as error:
        words = " ".join(error.format_message().split())
        complain([Problem("usage", Text(words, words))])
    except typer.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except ReaderLeft:
        # It has what it wanted (``| head``); the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return BAD_INPUT
