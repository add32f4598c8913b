"""What holds for every file of the repository."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_MODULE = 600

# Put together from pieces, so that this file does not match itself.
FORBIDDEN = {
    "a package index option": r"--(extra-)?index" + r"-url\b",
    "a package link option": r"--find" + r"-links\b",
    "a package index host": r"py" + r"pi\.org|python" + r"hosted\.org|/sim" + r"ple/",
    "a folder outside the repository": r"\.\./" + r"shared\b",
    "a path of one machine": r"(?<![\w./-])/" + r"work\b",
}


def files() -> Iterator[Path]:
    """Every file that is or may be committed: all but what .gitignore names."""
    lines = (ROOT / ".gitignore").read_text("utf-8").split()
    ignored = {".git", *(line.strip("/") for line in lines if "*" not in line)}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if n not in ignored and not n.endswith(".egg-info")]
        for name in names:
            path = Path(folder, name)
            if name not in ignored and path.is_file():
                yield path


def texts() -> Iterator[tuple[str, str]]:
    for path in files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_mentions(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.ASCII)
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_modules_are_short() -> None:
    lengths = {name: text.count("\n") for name, text in texts() if name.endswith(".py")}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_the_lock_holds_exact_versions_only() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pin = re.compile(r"[a-z0-9-]+==[0-9][\w.]*( ; .+)?")
    assert [line for line in lines if not pin.fullmatch(line)] == []
