"""Two results read side by side in parts: rows of one case number fall into the same part.

Small results are one part, in memory; of large ones the parts are kept in a temporary folder
and read back one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.courts.register import Register
from eligibility.docket.result_file import Codes, Ints, ResultFile, listed, outcomes_of
from eligibility.rulebase.model import Rulebase

ROWS = 400_000  # of one side in a part, about
MOST_PARTS = 128
_BYTES = 150  # of a row of CSV or NDJSON, about
_PRIME = np.uint64(1_099_511_628_211)
_LISTS = {"possible": "possible_outcomes", "rules": "effective_rules", "facts": "unknown_facts"}


class Words:
    """The words of two results by number, courts under one name."""

    def __init__(self, rulebase: Rulebase) -> None:
        self._register = Register(rulebase.courts)
        self.outcomes, self.rules, self.facts = Codes(), Codes(), Codes()
        self.courts = Codes()

    def court(self, number: int) -> str | None:
        return self.courts.words[number] if number >= 0 else None

    def courts_of(self, column: pa.Array) -> Ints:
        """The court of each row by number: its id, or what the docket names; -1 for none."""
        named = Codes()
        found = named.of(column)
        known = [self._register.find(word) for word in named.words]
        words = [c.id if c else word for c, word in zip(known, named.words, strict=True)]
        table = np.array([*(self.courts.number(word) for word in words), -1], dtype=np.int64)
        return table[found]

    def coded(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with its words as numbers, so that parts can be stored and compared."""
        made = {
            "case_no": batch["case_no"],
            "court": self.courts_of(batch["court_id"]),
            "outcome": outcomes_of(batch, self.outcomes),
            "changes_on": batch["changes_on"],
            "changes_to": self.outcomes.of(batch["changes_to"]),
            "error": batch["error"],
        }
        codes = {"possible": self.outcomes, "rules": self.rules, "facts": self.facts}
        for name, column in _LISTS.items():
            rows, entries = listed(batch, column, codes[name])
            starts = np.searchsorted(rows, np.arange(batch.num_rows + 1)).astype(np.int32)
            made[name] = pa.ListArray.from_arrays(pa.array(starts), pa.array(entries))
        return pa.RecordBatch.from_pydict(made)


@dataclass(slots=True)
class Side:
    """The rows of one result in a part; those without a number only counted."""

    numbers: pa.Array
    court: Ints
    outcome: Ints
    changes_to: Ints
    texts: dict[str, pa.Array]
    lists: dict[str, tuple[Ints, Ints]]
    unnumbered: int

    @property
    def rows(self) -> int:
        return len(self.court)

    def at(self, name: str, rows: Ints) -> Ints:
        """The numbers of some rows; -1 where there is no such row."""
        column: Ints = getattr(self, name)
        return np.append(column, -1)[rows]

    def taken(self, name: str, rows: Ints) -> pa.Array:
        """The texts of some rows; null where there is no such row."""
        return self.texts[name].take(pa.array(rows, mask=rows < 0))


@dataclass(slots=True)
class Part:
    """Both sides with a key for each row: of its number and its court."""

    before: Side
    after: Side
    numbers: pa.Array
    keys_before: Ints
    keys: Ints
    courts: int

    def number_of(self, keys: Ints) -> Ints:
        return keys // self.courts

    def named(self, key: int) -> tuple[str, int]:
        """The case number and the court of a key."""
        return self.numbers[key // self.courts].as_py(), key % self.courts - 1


def parts_of(before: ResultFile, after: ResultFile, words: Words) -> Iterator[Part]:
    """The parts of two results, one after the other."""
    count = min(MOST_PARTS, max(_rows(before), _rows(after)) // ROWS + 1)
    if count == 1:
        sides = [_side([words.coded(b) for b in file.batches()]) for file in (before, after)]
        yield _part(sides[0], sides[1], words)
        return
    with TemporaryDirectory(prefix="eligibility-") as folder:
        for name, file in (("before", before), ("after", after)):
            _store(Path(folder), name, file, count, words)
        for number in range(count):
            stored = [_stored(Path(folder, f"{name}-{number}")) for name in ("before", "after")]
            yield _part(_side(stored[0]), _side(stored[1]), words)


def _rows(file: ResultFile) -> int:
    return file.bytes // _BYTES if file.rows is None else file.rows


def _store(folder: Path, name: str, file: ResultFile, count: int, words: Words) -> None:
    with ExitStack() as open_files:
        writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        for batch in file.batches():
            coded = words.coded(batch)
            part = _part_of(coded["case_no"], count)
            order = np.argsort(part, kind="stable")
            ends = np.searchsorted(part[order], np.arange(count + 1))
            for number in range(count):
                rows = order[ends[number] : ends[number + 1]]
                if not len(rows):
                    continue
                if number not in writers:
                    stream = pa.OSFile(str(folder / f"{name}-{number}"), "wb")
                    open_files.callback(stream.close)
                    writers[number] = pa.ipc.new_stream(stream, coded.schema)
                    open_files.callback(writers[number].close)
                writers[number].write_batch(coded.take(pa.array(rows)))


def _stored(path: Path) -> list[pa.RecordBatch]:
    if not path.exists():
        return []
    with pa.OSFile(str(path), "rb") as stream, pa.ipc.open_stream(stream) as reader:
        return list(reader)


def _part_of(numbers: pa.Array, count: int) -> Ints:
    """The part of each case number: a sum over its bytes, each by a power for its place."""
    filled = numbers.fill_null("")
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, np.int32)[filled.offset :][: len(filled) + 1].astype(np.int64)
    raw = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    lengths, ends = np.diff(ends), ends[1:] - ends[0]
    places = np.arange(len(raw)) - np.repeat(ends - lengths, lengths)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)) + 1, _PRIME))
    sums = np.concatenate(([np.uint64(0)], np.cumsum((raw + np.uint64(1)) * powers[places])))
    found = (sums[ends] - sums[ends - lengths]) >> np.uint64(32)
    parts: Ints = (found % np.uint64(count)).astype(np.int64)
    return parts


def _side(batches: list[pa.RecordBatch]) -> Side:
    table = pa.Table.from_batches(batches) if batches else None
    total = table.num_rows if table else 0
    table = table.filter(pc.is_valid(table["case_no"])) if table else None

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return table[name].combine_chunks() if table else pa.array([], kind)

    def numbers(name: str) -> Ints:
        found: Ints = column(name, pa.int64()).to_numpy(zero_copy_only=False)
        return found

    lists = {}
    for name in _LISTS:
        found = column(name, pa.list_(pa.int64()))
        owners = pc.list_parent_indices(found).to_numpy(zero_copy_only=False).astype(np.int64)
        lists[name] = owners, found.flatten().to_numpy(zero_copy_only=False)
    rows = table.num_rows if table else 0
    return Side(
        column("case_no", pa.string()),
        numbers("court"),
        numbers("outcome"),
        numbers("changes_to"),
        {name: column(name, pa.string()) for name in ("changes_on", "error")},
        lists,
        total - rows,
    )


def _part(before: Side, after: Side, words: Words) -> Part:
    """The sides with the keys of their rows."""
    encoded = pa.concat_arrays([before.numbers, after.numbers]).dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    courts = len(words.courts) + 1
    keys = numbers * courts + np.concatenate((before.court, after.court)) + 1
    return Part(before, after, encoded.dictionary, keys[: before.rows], keys[before.rows :], courts)
