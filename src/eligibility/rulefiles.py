"""Where rule bases lie: the one shipped with the package, or a folder named by the user."""

from __future__ import annotations

import os
from pathlib import Path

from eligibility.errors import Problem, RulebaseError, Text
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase

_HERE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """A folder that ships with the package (``rules``, ``examples``); in a checkout, beside src."""
    packaged = _HERE / f"_{name}"
    return packaged if packaged.is_dir() else _HERE.parent.parent / name


def rules_folder(folder: str | None = None) -> Path:
    """The folder asked for, else ``ELIGIBILITY_RULES``, else the shipped rule base."""
    named = folder or os.environ.get("ELIGIBILITY_RULES")
    return Path(named) if named else shipped("rules")


def read_texts(folder: Path) -> dict[str, str]:
    """All YAML files below a folder, by path relative to it."""
    if not folder.is_dir():
        raise RulebaseError(
            Problem(
                "no_rulebase",
                Text(f"没有规则目录 {folder}", f"there is no rule folder {folder}"),
            )
        )
    texts = {}
    for path in sorted(folder.rglob("*.y*ml")):
        name = path.relative_to(folder).as_posix()
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise RulebaseError(
                Problem("not_utf8", Text("文件不是 UTF-8 编码", "the file is not UTF-8"), name)
            ) from error
    return texts


def load_rules(folder: str | None = None) -> Rulebase:
    """The rule base in a folder, checked. Raises :class:`RulebaseError`."""
    return load(read_texts(rules_folder(folder)))
