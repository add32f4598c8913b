"""Modules depend in one direction only, and what decides a case touches nothing outside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "eligibility"

# From the bottom up. A module may import from lower lines and from its own package.
LINES: tuple[frozenset[str], ...] = tuple(
    frozenset(line.split())
    for line in (
        "errors",
        "slips",
        "logic calendars documents",
        "shapes",
        "vocabulary",
        "rulebase",
        "courts circuit",
        "engines",
        "decision",
        "docket records assurance",
        "governance",
        "spec",
        "api",
        "workbench",
        "cli",
        "__main__",
    )
)
LINE_OF = {name: number for number, line in enumerate(LINES) for name in line}

# Read and write files or run measurements for the edge; named is what each may import.
HELPERS: dict[str, frozenset[str]] = {
    "rulefiles": frozenset({"errors", "rulebase"}),
    "calendar_data": frozenset({"errors", "calendars"}),
    "settings": frozenset({"errors"}),
    "render": frozenset({"errors", "rulebase"}),
    "benchmarks": frozenset(n for n, line in LINE_OF.items() if line < LINE_OF["api"]),
}
MAY_USE_HELPERS = frozenset({"api", "workbench", "cli"})

PURE = frozenset(name for name, line in LINE_OF.items() if line <= LINE_OF["decision"])
OUTSIDE_WORLD = frozenset(
    [
        "os",
        "sys",
        "pathlib",
        "io",
        "time",
        "socket",
        "subprocess",
        "sqlite3",
        "random",
        "secrets",
        "urllib",
        "http",
        "requests",
        "httpx",
        "multiprocessing",
        "threading",
        "asyncio",
        "tempfile",
        "shutil",
        "glob",
    ]
)
OUTSIDE_CALLS = frozenset({"open", "input", "print"})
CLOCK = frozenset({"now", "utcnow", "today"})

EXCEPTIONS: dict[str, frozenset[str]] = {
    # One handle of the C library under one lock; the lock guards it, it decides nothing.
    "engines/durable.py": frozenset({"threading"}),
    # Runs another engine's answer in a process of its own: that engine can hang or crash.
    "engines/trial.py": frozenset({"multiprocessing", "subprocess"}),
    # Measures memory and speed of the engines over many random inputs; decides no case.
    "engines/soak.py": frozenset({"pathlib", "random", "time"}),
}


def modules() -> list[str]:
    return sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


def top(module: str) -> str:
    """The package or module directly under ``eligibility`` that a file belongs to."""
    return module.split("/")[0].removesuffix(".py")


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """The line and dotted name of every import, wherever it stands in the file."""
    package = ["eligibility", *module.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield node.lineno, ".".join([*base, alias.name])
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}
            and node.args
        ):
            name = node.args[0]
            known = isinstance(name, ast.Constant) and isinstance(name.value, str)
            yield node.lineno, name.value if known else "?"  # type: ignore[attr-defined]


def wrong_directions(source: str, module: str) -> list[str]:
    own, wrong = top(module), []
    for line, name in imported(ast.parse(source), module):
        parts = name.split(".")
        if parts[0] != "eligibility":
            continue
        other = parts[1] if len(parts) > 1 else "*"
        if other == own or other.startswith("__version"):
            continue
        if own in HELPERS:
            allowed = other in HELPERS[own]
        elif other in HELPERS:
            allowed = own in MAY_USE_HELPERS
        elif own in LINE_OF:
            allowed = other in LINE_OF and LINE_OF[other] < LINE_OF[own]
        else:  # eligibility/__init__.py
            allowed = False
        if not allowed:
            wrong.append(f"{module}:{line} imports {name}")
    return wrong


def impurities(source: str, module: str) -> list[str]:
    tree = ast.parse(source)
    allowed = EXCEPTIONS.get(module, frozenset())
    found, clocks = [], {"date", "datetime"}
    for line, name in imported(tree, module):
        root = name.split(".")[0]
        if root == "?" or (root in OUTSIDE_WORLD and root not in allowed):
            found.append(f"{module}:{line} imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            clocks |= {alias.asname for alias in node.names if alias.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK:
            if ast.unparse(node.value).split(".")[-1] in clocks:
                found.append(f"{module}:{node.lineno} reads the clock")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in OUTSIDE_CALLS
        ):
            found.append(f"{module}:{node.lineno} calls {node.func.id}()")
    return found


def test_every_module_has_a_place_in_the_order() -> None:
    assert {top(module) for module in modules()} - {"__init__"} <= LINE_OF.keys() | HELPERS.keys()


@pytest.mark.parametrize("module", modules())
def test_imports_point_downwards(module: str) -> None:
    assert wrong_directions((SOURCE / module).read_text("utf-8"), module) == []


@pytest.mark.parametrize("module", [m for m in modules() if top(m) in PURE])
def test_deciding_is_pure(module: str) -> None:
    assert impurities((SOURCE / module).read_text("utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("circuit/build.py", "from eligibility.decision import model"),
        ("circuit/build.py", "from eligibility import api"),
        ("circuit/build.py", "from ..engines import direct"),
        ("circuit/build.py", "def f():\n    import eligibility.rulefiles"),
        ("circuit/build.py", "import importlib\nimportlib.import_module('eligibility.cli')"),
        ("logic.py", "from .documents import Item"),
        ("docket/store.py", "from eligibility.records import store"),
        ("rulefiles.py", "from eligibility.decision import decide"),
        ("__init__.py", "from eligibility.errors import Text"),
    ],
)
def test_a_wrong_direction_is_noticed(module: str, source: str) -> None:
    assert len(wrong_directions(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("circuit/build.py", "from eligibility.errors import Text"),
        ("circuit/build.py", "from .model import Node\nfrom . import model"),
        ("cli.py", "from eligibility import __version__, rulefiles"),
        ("__main__.py", "from eligibility.cli import main"),
    ],
)
def test_a_right_direction_is_accepted(module: str, source: str) -> None:
    assert wrong_directions(source, module) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os.path",
        "from pathlib import Path",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import date as day\nx = day.today",
        "def f():\n    return open('x')",
        "import importlib\nimportlib.import_module(name)",
    ],
)
def test_an_impurity_is_noticed(source: str) -> None:
    assert len(impurities(source, "decision/decide.py")) == 1
