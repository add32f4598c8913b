"""Every error code that the program can answer with is explained in ``docs/errors.md``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "eligibility"
PAGE = ROOT / "docs" / "errors.md"

# Calls whose first argument is a code.
MAKERS = {"Problem", "bad", "Unfit", "problem", "warn", "known", "malformed", "refuse"}
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Codes that helpers and tables hand on: wherever such a word stands in a call or a tuple.
HANDED_ON = re.compile(r"unknown_[a-z]+(_[a-z]+)*")
NOT_CODES = {"unknown_facts", "unknown_distance_km"}  # columns and settings
ENTRY = re.compile(r"^\| `([a-z0-9_]+)` \|(.+)\|(.+)\|$", re.MULTILINE)


def constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def codes_in(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Call, ast.Tuple)):
            words = node.args if isinstance(node, ast.Call) else node.elts
            found.update(c for w in words for c in constants(w) if HANDED_ON.fullmatch(c))
        if isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).split(".")[-1].lstrip("_")
            if name in MAKERS:
                found.update(c for c in constants(node.args[0]) if CODE.fullmatch(c))
    return found - NOT_CODES


def all_codes() -> dict[str, str]:
    """Each code with a file that uses it."""
    return {
        code: path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        for code in codes_in(path.read_text("utf-8"))
    }


def documented() -> dict[str, tuple[str, str]]:
    text = PAGE.read_text("utf-8")
    return {code: (zh.strip(), en.strip()) for code, zh, en in ENTRY.findall(text)}


def test_every_code_is_documented() -> None:
    missing = {c: f for c, f in all_codes().items() if c not in documented()}
    assert not missing, f"add to docs/errors.md: {missing}"


def test_every_documented_code_exists() -> None:
    assert not documented().keys() - all_codes().keys()


def test_entries_say_something_in_both_languages_and_stand_once() -> None:
    found = [code for code, _, _ in ENTRY.findall(PAGE.read_text("utf-8"))]
    assert len(found) == len(set(found))
    for code, (zh, en) in documented().items():
        assert re.search("[\u4e00-\u9fff]", zh), code
        assert re.search("[a-z]{3}", en), code


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("Problem('a_code', text)", {"a_code"}),
        ("self._problem('one' if x else 'two', y)", {"one", "two"}),
        ("named(rules, rule_id, 'unknown_rule', noun)", {"unknown_rule"}),
        ("TABLE = (('modes', 'unknown_mode', noun),)", {"unknown_mode"}),
        ("print('not a code')", set()),
        ("Problem(code, text)", set()),
    ],
)
def test_codes_are_found(source: str, codes: set[str]) -> None:
    assert codes_in(source) == codes
