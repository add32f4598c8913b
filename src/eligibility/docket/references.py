"""A docket cut into references: which rows of which file one task reads for itself.

Row groups of Parquet files that follow one another are taken together up to a size. CSV and
NDJSON are a reference a file: where a row begins is known only from those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from eligibility.docket.results import Row
from eligibility.docket.tables import Meter, read_rows, readable, suffix_of
from eligibility.errors import EligibilityError, MalformedInput, Problem
from eligibility.vocabulary.model import Vocabulary

ROWS_A_PART = 250_000
BYTES_A_ROW = 200
"""Of CSV and NDJSON, about."""
PARTS_A_CORE = 3
"""Parts that each core has to do at least, so that a slow one does not keep all waiting."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of one file. ``name``: the file as the user wrote it, which places of rows begin with;
    ``path``: the same from the root. ``groups``: the first row group and the one after the last,
    None for all of the file; ``before``: the rows of the file that come before.
    """

    name: str
    path: str
    groups: tuple[int, int] | None = None
    before: int = 0

    @property
    def row_groups(self) -> range | None:
        return None if self.groups is None else range(*self.groups)


def whole_file(path: Path) -> Reference:
    """All rows of a file that is read where it is named."""
    return Reference(str(path), str(path))


def references_of(files: Sequence[Path], cores: int, most: int = ROWS_A_PART) -> list[Reference]:
    """All rows of ``files`` in order, each in one reference: of ``most`` rows, where row groups
    are not larger, and of fewer where there would be too few for ``cores``.

    Raises MalformedInput where a Parquet file cannot be read.
    """
    footers = {path: _row_counts(path) for path in files if suffix_of(path) == ".parquet"}
    rows = sum(sum(counts) for counts in footers.values())
    most = max(1, min(most, -(-rows // (PARTS_A_CORE * max(cores, 1)))))
    out: list[Reference] = []
    for path in files:
        whole = Reference(str(path), str(path.absolute()))
        out += _cut(whole, footers[path], most) if path in footers else [whole]
    return out


def rows_about(files: Sequence[Path]) -> int:
    """How many rows the files have; of texts an estimate by their bytes.

    Raises MalformedInput where a Parquet file cannot be read.
    """
    counts = (
        sum(_row_counts(path)) if suffix_of(path) == ".parquet" else _size(path) // BYTES_A_ROW
        for path in files
    )
    return sum(counts)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _row_counts(path: Path) -> list[int]:
    """The rows of each row group."""
    with readable(path), pq.ParquetFile(path) as file:
        found = file.metadata
        return [found.row_group(i).num_rows for i in range(found.num_row_groups)]


def _cut(whole: Reference, counts: Sequence[int], most: int) -> Iterator[Reference]:
    """The row groups of a file taken together, as long as they have ``most`` rows at most."""
    first, held, before = 0, 0, 0
    for number, count in enumerate(counts):
        if held and held + count > most:
            yield replace(whole, groups=(first, number), before=before)
            first, before, held = number, before + held, 0
        held += count
    yield replace(whole, groups=(first, len(counts)), before=before)


def rows_of(
    reference: Reference,
    vocabulary: Vocabulary,
    profile_column: str | None,
    meter: Meter | None = None,
) -> Iterator[Row]:
    """The rows of a file that is a reference as a whole, their places under its own name.

    Raises MalformedInput where the file cannot be read.
    """
    rows = read_rows(Path(reference.path), vocabulary, profile_column, meter)
    with under_own_name(reference):
        for row in rows:
            payload = row.payload
            if isinstance(payload, EligibilityError):
                payload = type(payload)([_renamed(p, reference) for p in payload.problems])
            yield Row(_own_name(row.place, reference), payload, row.profile)


@contextmanager
def under_own_name(reference: Reference) -> Iterator[None]:
    """Errors of reading a reference name the file as the user wrote it."""
    try:
        yield
    except MalformedInput as error:
        raise MalformedInput([_renamed(p, reference) for p in error.problems]) from None


def _renamed(problem: Problem, reference: Reference) -> Problem:
    return replace(problem, place=_own_name(str(problem.place), reference))


def _own_name(place: str, reference: Reference) -> str:
    if not place.startswith(reference.path):
        return place
    return reference.name + place[len(reference.path) :]
