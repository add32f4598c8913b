"""A result as a folder of part files: whole or not there at all.

Every attempt of a task writes a file of its own; only the attempt whose success was reported
is moved into the result, so that what a lost worker or a repeated task left behind is in
nobody's way. The folder takes its name when all parts are there, ``_SUCCESS`` with them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from eligibility.errors import Conflict, MalformedInput, Problem, Text

DONE = "_SUCCESS"
_ATTEMPTS, _RESULT = "attempts", "result"


@dataclass(slots=True)
class Folder:
    """Where the parts of a result are collected, beside the place of the result."""

    path: Path
    kind: str
    winners: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> Path:
        """Tasks write here, under names of :func:`attempt_name`."""
        return self.path / _ATTEMPTS

    def keep(self, names: Sequence[str]) -> None:
        """The files of the attempts that count, in the order of their rows."""
        self.winners = list(names)


def attempt_name(number: int, kind: str) -> str:
    """A name that no other attempt has."""
    return f"{number:05}.{uuid4().hex}{kind}"


@contextmanager
def whole_folder(path: Path, kind: str) -> Iterator[Folder]:
    """Collects parts of ``kind`` (a suffix); at the end they are the folder ``path``.

    The result of an earlier run is replaced. Raises Conflict (``output_exists``) where anything
    else stands there, MalformedInput (``cannot_write``).
    """
    path = path.absolute()
    _refuse_other(path)
    folder = Folder(path.with_name(f".{path.name}.{uuid4().hex[:12]}.parts"), kind)
    try:
        with write_faults(path):
            for each in (folder.path, folder.attempts, folder.path / _RESULT):
                each.mkdir()
        yield folder
        with write_faults(path):
            _commit(folder, path)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)


@contextmanager
def write_faults(path: Path) -> Iterator[None]:
    """What cannot be written is MalformedInput."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        said = Text(f"无法写入：{why}", f"cannot write: {why}")
        raise MalformedInput(Problem("cannot_write", said, str(path))) from None


def _refuse_other(path: Path) -> None:
    replaceable = path.is_dir() and ((path / DONE).is_file() or not any(path.iterdir()))
    if path.exists() and not replaceable:
        zh = "已经存在，而且不是以前筛查的结果，不予覆盖"
        en = "exists and is not the result of an earlier screening; it is not overwritten"
        raise Conflict(Problem("output_exists", Text(zh, en), str(path)))


def _commit(folder: Folder, path: Path) -> None:
    """Parts in order under their names, then the whole in one step."""
    made = folder.path / _RESULT
    for number, name in enumerate(folder.winners):
        os.rename(folder.attempts / name, made / f"part-{number:05}{folder.kind}")
    (made / DONE).touch()
    if not path.exists():
        os.rename(made, path)
        return
    old = folder.path.with_suffix(".old")
    os.rename(path, old)
    try:
        os.rename(made, path)
    except OSError:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
