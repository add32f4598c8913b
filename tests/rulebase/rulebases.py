"""The small rule base of ``tests/rules/base``, alone or with files laid over it."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import read_texts, shipped

RULES = Path(__file__).resolve().parent.parent / "rules"
BASE = RULES / "base"
TODAY = date(2026, 1, 1)


@cache
def _base() -> dict[str, str]:
    return read_texts(BASE)


def laid_over(folder: Path) -> dict[str, str]:
    """The base with the files of a folder: a file of the same name replaces, others add."""
    return {**_base(), **read_texts(folder)}


def with_file(text: str, name: str = "x.yaml") -> dict[str, str]:
    return {**_base(), name: text}


def base_texts() -> dict[str, str]:
    return dict(_base())


@cache
def base_rulebase() -> Rulebase:
    return load(_base())


@cache
def shipped_texts() -> dict[str, str]:
    return read_texts(shipped("rules"))


def cases(kind: str) -> list[Path]:
    """The folders below ``tests/rules/<kind>``."""
    return sorted(path for path in (RULES / kind).iterdir() if path.is_dir())
