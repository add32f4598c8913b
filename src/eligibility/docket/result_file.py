"""Results of screenings read back: column by column, a bounded batch at a time.

A Parquet result says what it rests on (day, rule base) in its metadata; CSV and NDJSON have
no place for that. Whatever the file, batches have the columns of a result as texts, word
columns dictionary-encoded where the file has them so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eligibility.docket.parts import DONE
from eligibility.docket.results import COLUMNS, LISTS
from eligibility.docket.tables import suffix_of
from eligibility.errors import MalformedInput, Problem, Text

ROWS = 65_536
BLOCK = 1 << 23  # bytes of CSV or NDJSON read at once
REJECTED = "rejected"  # stands for the outcome of a row that could not be judged
METADATA = b"eligibility.screening"
_WORDS = ("court_id", "outcome", "recommended_mode", "changes_to")
_FORMULA = r"^'([=+\-@\t])"  # how a text that a spreadsheet would run is written in CSV
Ints = NDArray[np.int64]
Entry = dict[str, Any]


class ResultFile:
    """The result of a screening. ``about``: ``as_of`` (the day asked for), ``made_on``,
    ``dates`` (whether days of change were sought), ``rulebase``; None where the file does not
    say. The folder of parts that Spark writes is one result. Raises MalformedInput
    (``cannot_read``, ``not_a_result``, ``unknown_suffix``) where it is opened or read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind = suffix_of(path)
        self.about = _about(b"{}")
        self.rows: int | None = None
        self.parts: list[ResultFile] | None = None
        try:
            if path.is_dir():
                self._folder()
                return
            if self.kind == ".parquet":
                self._parquet_head()
            elif self.kind == ".csv" and path.stat().st_size:
                self._csv().close()
            else:
                path.open("rb").close()
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in order. A file of no bytes is the result of a docket without cases."""
        if self.parts is not None:
            for part in self.parts:
                yield from part.batches()
            return
        if self.kind != ".parquet" and not self.path.stat().st_size:
            return
        made = {".parquet": self._parquet, ".csv": self._csv_batches}.get(self.kind, self._ndjson)
        try:
            for batch in made():
                judged = pc.or_(pc.is_valid(batch["outcome"]), pc.is_valid(batch["error"]))
                if not pc.all(judged, min_count=0).as_py():
                    said = "有的行既无结论也无错误", "a row has neither an outcome nor an error"
                    raise self._no_result(*said)
                yield batch
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    @property
    def bytes(self) -> int:
        """The size of the file, or of all parts."""
        if self.parts is None:
            return self.path.stat().st_size
        return sum(part.bytes for part in self.parts)

    # --- kinds of files ------------------------------------------------------------------------

    def _folder(self) -> None:
        """Parts in order of name, if all of them are there."""
        if not (self.path / DONE).is_file():
            raise self._no_result(f"文件夹中没有 {DONE}", f"a folder without {DONE}")
        self.parts = [ResultFile(part) for part in sorted(self.path.glob(f"part-*{self.kind}"))]
        if self.parts:
            self.about = self.parts[0].about
        counts = [part.rows for part in self.parts]
        self.rows = None if None in counts else sum(count or 0 for count in counts)

    def _parquet_head(self) -> None:
        with pq.ParquetFile(self.path) as file:
            schema = file.schema_arrow
            self.rows = file.metadata.num_rows
        self._check_columns(schema.names)
        for name in COLUMNS:
            kind = schema.field(name).type
            kind = kind.value_type if name in LISTS and pa.types.is_list(kind) else kind
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (pa.types.is_string(kind) or pa.types.is_null(kind)):
                raise self._no_result(f"{name} 的类型不对", f"{name} is of the wrong type")
        self.about = _about((schema.metadata or {}).get(METADATA, b"{}"))

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path, read_dictionary=list(_WORDS)) as file:
            yield from file.iter_batches(batch_size=ROWS, columns=list(COLUMNS))

    def _csv(self) -> Any:
        pieces = pa.csv.ReadOptions(block_size=BLOCK)
        cells = pa.csv.ParseOptions(newlines_in_values=True)
        texts = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(COLUMNS, pa.string()),
            include_columns=list(COLUMNS),
            strings_can_be_null=True,
            null_values=[""],
        )
        try:
            return pa.csv.open_csv(
                self.path, read_options=pieces, parse_options=cells, convert_options=texts
            )
        except KeyError as error:
            (name,) = [n for n in COLUMNS if n in str(error)][:1] or [""]
            raise self._no_result(f"没有“{name}”一列", f"has no column '{name}'") from None

    def _csv_batches(self) -> Iterator[pa.RecordBatch]:
        with self._csv() as reader:
            for batch in reader:
                made = {}
                for name in COLUMNS:
                    plain = pc.replace_substring_regex(batch[name], _FORMULA, r"\1")
                    made[name] = pc.split_pattern(plain, "、") if name in LISTS else plain
                yield pa.RecordBatch.from_pydict(made)

    def _ndjson(self) -> Iterator[pa.RecordBatch]:
        kinds = {n: pa.list_(pa.string()) if n in LISTS else pa.string() for n in COLUMNS}
        shape = pa.json.ParseOptions(
            explicit_schema=pa.schema(kinds), unexpected_field_behavior="ignore"
        )
        pieces = pa.json.ReadOptions(block_size=BLOCK)
        with pa.json.open_json(self.path, read_options=pieces, parse_options=shape) as reader:
            yield from reader

    # --- complaints ----------------------------------------------------------------------------

    def _check_columns(self, names: Iterable[str]) -> None:
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise self._no_result(f"没有“{missing[0]}”一列", f"has no column '{missing[0]}'")

    def _no_result(self, zh: str, en: str) -> MalformedInput:
        said = Text(f"不是筛查结果：{zh}", f"is not the result of a screening: {en}")
        return MalformedInput(Problem("not_a_result", said, str(self.path)))

    def _unreadable(self, error: Exception) -> MalformedInput:
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        said = Text(f"无法读取：{why}", f"cannot be read: {why}")
        return MalformedInput(Problem("cannot_read", said, str(self.path)))


def _about(said: bytes) -> Entry:
    """What a file says that it rests on; None for what it does not say in this form."""
    found = json.loads(said)
    found = found if isinstance(found, dict) else {}
    base = found.get("rulebase")
    texts = base if isinstance(base, dict) else {}
    known = all(isinstance(texts.get(key), str) for key in ("version", "digest"))
    return {
        "as_of": _text(found.get("as_of")),
        "made_on": _text(found.get("made_on")),
        "dates": found["dates"] if isinstance(found.get("dates"), bool) else None,
        "rulebase": {key: texts[key] for key in ("version", "digest")} if known else None,
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def described(schema: pa.Schema, about: Mapping[str, Any]) -> pa.Schema:
    """The schema of a result with what the result rests on."""
    said = json.dumps(dict(about), ensure_ascii=False).encode()
    return schema.with_metadata({METADATA: said})


# --- columns as numbers -------------------------------------------------------------------------


class Codes:
    """Words by number, in the order of their first appearance."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = list(dict.fromkeys(words))
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int:
        found = self._numbers.get(word)
        if found is None:
            found = self._numbers[word] = len(self.words)
            self.words.append(word)
        return found

    def of(self, column: pa.Array) -> Ints:
        """The number of each word of a column; -1 where there is none."""
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        known = [self.number(word) for word in encoded.dictionary.to_pylist()]
        table = np.array([*known, -1], dtype=np.int64)
        out: Ints = table[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
        return out


def outcomes_of(batch: pa.RecordBatch, codes: Codes) -> Ints:
    """The outcome of each row by number; a row with an error is :data:`REJECTED`."""
    found = codes.of(batch["outcome"])
    wrong = pc.is_valid(batch["error"]).to_numpy(zero_copy_only=False)
    found[wrong | (found < 0)] = codes.number(REJECTED)
    return found


def listed(batch: pa.RecordBatch, name: str, codes: Codes) -> tuple[Ints, Ints]:
    """The entries of a column of lists: the row of each, and its number."""
    column = batch[name]
    rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows, codes.of(column.flatten())
