"""Runs the command line in this process."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from eligibility.cli import run

BASE = Path(__file__).resolve().parent.parent / "rules" / "base"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(name="cli")
def fixture_cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """``cli("decide", "-", stdin="…")``; the small rule base unless the test names another."""
    monkeypatch.setenv("ELIGIBILITY_RULES", str(BASE))
    monkeypatch.setenv("ELIGIBILITY_ENGINE", "native")

    def call(*arguments: str, stdin: str | bytes | None = None) -> Ran:
        if stdin is not None:
            raw = stdin if isinstance(stdin, bytes) else stdin.encode("utf-8", "surrogatepass")
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
