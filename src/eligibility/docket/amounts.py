"""The amounts of a docket, row beside row with its result.

A result has one row for each row of the docket, in order; that the case numbers agree is
checked, so an amount never goes to another case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eligibility.docket import tables
from eligibility.docket.results import Row
from eligibility.docket.sheets import Block, read_blocks
from eligibility.errors import MalformedInput, Problem, Text
from eligibility.vocabulary.model import Vocabulary

AMOUNT = "outstanding_amount_yuan"
MOST = 10**18
_NUMBER, _ROWS = "case_no", 65_536


class Amounts:
    """Amounts in yuan of dockets read on demand. ``found``: whether any row had one."""

    def __init__(self, paths: Sequence[Path], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.found = False
        self._name = str(paths[0]) if paths else ""
        self._row = 0
        self._parts = (part for path in paths for part in self._read(path))
        self._rest: pa.Table = _table([], [])

    def beside(self, numbers: pa.Array) -> pa.Array:
        """The amounts of the next rows, whose case numbers are these; null where not known.

        Raises MalformedInput (``docket_differs``) where the docket says otherwise or has ended.
        """
        wanted = len(numbers)
        while self._rest.num_rows < wanted:
            part = next(self._parts, None)
            if part is None:
                raise self._differs("案件表的行数少于结果", "the docket has fewer rows")
            self._rest = pa.concat_tables([self._rest, part])
        here, self._rest = self._rest.slice(0, wanted), self._rest.slice(wanted)
        same = pc.equal(here[_NUMBER].combine_chunks(), numbers).fill_null(True)
        if not pc.all(same, min_count=0).as_py():
            at = pc.index(same, False).as_py()
            ours, theirs = (str(c[at].as_py())[:40] for c in (numbers, here[_NUMBER]))
            row = self._row + at + 1
            zh = f"第 {row} 行结果为“{ours}”，案件表为“{theirs}”"
            raise self._differs(zh, f"row {row} of the result is '{ours}', there '{theirs}'")
        self._row += wanted
        amounts = here[AMOUNT].combine_chunks()
        self.found = self.found or amounts.null_count < wanted
        return amounts

    def finish(self) -> None:
        """The result has ended: so must the docket."""
        if self._rest.num_rows or any(part.num_rows for part in self._parts):
            raise self._differs("案件表的行数多于结果", "the docket has more rows")

    def _differs(self, zh: str, en: str) -> MalformedInput:
        said = Text(
            f"不是产生此结果的案件表：{zh}", f"is not the docket that the result is of: {en}"
        )
        return MalformedInput(Problem("docket_differs", said, self._name))

    # --- reading -------------------------------------------------------------------------------

    def _read(self, path: Path) -> Iterator[pa.Table]:
        self._name = str(path)
        if tables.suffix_of(path) == ".parquet":
            yield from self._parquet(path)
            return
        if tables.suffix_of(path) == ".csv":
            yield from map(self._of_block, read_blocks(path, self.vocabulary))
            return
        rows = tables.read_rows(path, self.vocabulary, None)
        while part := list(islice(rows, _ROWS)):
            yield self._of_rows(part)

    def _of_rows(self, rows: Sequence[Row]) -> pa.Table:
        cases = [row.payload if isinstance(row.payload, dict) else {} for row in rows]
        numbers = [self._value(case, _NUMBER) for case in cases]
        return _table(numbers, [_yuan(self._value(case, AMOUNT)) for case in cases])

    def _of_block(self, block: Block) -> pa.Table:
        """Rows of a CSV file: those that columns do not hold as they are row by row."""
        names = block.batch.schema.names
        held = [
            [block.batch[word] for word in self._words(key) if word in names]
            for key in (_NUMBER, AMOUNT)
        ]
        numbers, amounts = (pc.coalesce(*columns) if columns else None for columns in held)
        found = _plain(numbers, amounts, block.batch.num_rows)
        hard = np.flatnonzero(block.hard)
        if not hard.size:
            return found
        order = np.arange(len(block.hard))
        order[hard] = len(order) + np.arange(len(hard))
        both = pa.concat_tables([found, self._of_rows(block.rows(hard.tolist()))])
        return both.take(pa.array(order))

    def _value(self, case: dict[str, Any], key: str) -> Any:
        return next((case[word] for word in self._words(key) if word in case), None)

    def _words(self, key: str) -> list[str]:
        fact = self.vocabulary.facts.get(key)
        return [key, fact.label.zh] if fact else []

    def _parquet(self, path: Path) -> Iterator[pa.Table]:
        try:
            with pq.ParquetFile(path) as file:
                names = file.schema_arrow.names
                found = {
                    key: [word for word in self._words(key) if word in names][:1]
                    for key in (_NUMBER, AMOUNT)
                }
                wanted = [word for words in found.values() for word in words]
                if not wanted:  # nothing to compare, nothing to show
                    yield _table([None] * file.metadata.num_rows, [None] * file.metadata.num_rows)
                    return
                for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                    columns = {k: batch[w[0]] if w else None for k, w in found.items()}
                    yield _plain(columns[_NUMBER], columns[AMOUNT], batch.num_rows)
        except (OSError, pa.ArrowException) as error:
            why = str(error).splitlines()[0][:200]
            said = Text(f"无法读取：{why}", f"cannot be read: {why}")
            raise MalformedInput(Problem("cannot_read", said, str(path))) from None


def _yuan(value: Any) -> float | None:
    """A number that a case may have as an amount; the row of any other is rejected anyway."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return float(value) if -MOST < value < MOST else None


def _table(numbers: list[Any], amounts: list[Any]) -> pa.Table:
    texts = [n if isinstance(n, str) else None for n in numbers]
    return pa.table(
        {_NUMBER: pa.array(texts, pa.string()), AMOUNT: pa.array(amounts, pa.float64())}
    )


def _plain(numbers: pa.Array | None, amounts: pa.Array | None, rows: int) -> pa.Table:
    """Columns of a file as texts and numbers; what is neither is null."""
    if numbers is None or not _is_text(numbers.type):
        numbers = pa.nulls(rows, pa.string())
    if amounts is None or not _is_number(amounts.type):
        amounts = pa.nulls(rows, pa.float64())
    return pa.table({_NUMBER: numbers.cast(pa.string()), AMOUNT: amounts.cast(pa.float64())})


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)
