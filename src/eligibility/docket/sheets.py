"""CSV dockets as columns: a block of rows at a time, each distinct cell read once.

What a cell means is said by the row-wise reader alone (:mod:`~eligibility.docket.tables`): its
functions are asked for every distinct text of a column. A row with a cell that a column cannot
hold is *hard*: whoever reads the block takes that row as the row-wise reader has it. Where quotes
do not stand as RFC 4180 has them, where rows end is known to the row-wise reader only, and the rest
of the file is left to it.
"""

from __future__ import annotations

import csv
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from eligibility.docket import tables
from eligibility.docket.columns import Bits, Ints
from eligibility.docket.files import NOTHING, NUMBERS
from eligibility.docket.results import Row
from eligibility.vocabulary.model import Fact, Type, Vocabulary
from eligibility.vocabulary.values import Unfit, from_wire

CHUNK = 1 << 24
MEANINGS_KEPT = 100_000
FEW = 32
"""So many lists of records are not parted any more to find the one that cannot be read."""
_EXACT = 2**53
_QUOTE, _COMMA, _LF, _CR = (ord(sign) for sign in '",\n\r')
_HARD: Any = object()
# Numbers that a float may not hold as written, and escapes of surrogates.
_DELICATE = r"\\u[dD]|[:\[,]\s*-?[0-9]+(\.[0-9]*)?[eE]|[:\[,]\s*-?[0-9.]{16,}"
# Numbers of so few digits that a float gives back: of money and decimals, of whole numbers.
_PLAIN = (r"^[0-9]{1,12}(\.[0-9]{1,2})?$", "^[0-9]{1,15}$")
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Block:
    """Rows of a CSV file that follow one another, without those that are empty.

    ``batch``: as a docket in Parquet has them, under the headings of the file; ``hard``: rows of
    which it does not hold all; ``lines``: the line on which each ends; ``bytes_done``: how much of
    the file was read.
    INVARIANT: a row that is not hard has the facts of its :meth:`rows`.
    """

    batch: pa.RecordBatch
    hard: Bits
    lines: Ints
    bytes_done: int
    _row: Callable[[int], Row]

    def rows(self, numbers: Iterable[int]) -> list[Row]:
        """Some rows as the row-wise reader has them."""
        return [self._row(number) for number in numbers]


def read_blocks(
    path: Path,
    vocabulary: Vocabulary,
    profile_column: str | None = None,
    name: str | None = None,
) -> Iterator[Block]:
    """The rows of a CSV file. ``name``: of the file in places of rows, by default its path.

    Raises MalformedInput where the file itself cannot be read.
    """
    with tables.readable(path):
        yield from _Sheet(path, vocabulary, profile_column, name or str(path)).blocks()


class _Odd(Exception):
    """Quotes or line ends that only the row-wise reader knows how to take."""


_Part = tuple[bytes, Ints]  # whole rows in UTF-8, and where they end


@dataclass(slots=True)
class _Rows:
    """Whole rows of one block of text: one column of texts for each heading."""

    columns: list[pa.Array]
    lines: Ints
    longer: dict[int, list[str]]  # rows with more cells than there are headings

    def cells(self, row: int) -> list[str]:
        return self.longer.get(row) or [column[row].as_py() for column in self.columns]


class _Sheet:
    """One file being read."""

    def __init__(
        self, path: Path, vocabulary: Vocabulary, profile_column: str | None, name: str
    ) -> None:
        self.path, self.vocabulary, self.name = path, vocabulary, name
        self.profile_column = profile_column
        self.encoding = tables.encoding_of(path)
        self.done = 0  # bytes read for them
        self.line = 0  # lines of the rows that were given out
        self.schema = tables.docket_schema(vocabulary)
        self.headings: list[str] = []
        self.facts: list[Fact | None] = []
        self.columns: list[_Column] = []

    def blocks(self) -> Iterator[Block]:
        with self.path.open("rb") as raw:
            try:
                yield from self._regular(raw)
                return
            except _Odd:
                pass
        yield from self._by_rows()

    def _regular(self, raw: IO[bytes]) -> Iterator[Block]:
        """Blocks as long as quotes and line ends stand as they should."""
        parts = self._parts(raw)
        text, ends = next(parts, (b"", np.zeros(0, dtype=np.int64)))
        header = int(ends[0]) + 1 if len(ends) else 0
        self._header(text[:header].decode())
        if len(ends) > 1:
            yield from self._block(text[header:], ends[1:] - header)
        for text, ends in parts:
            yield from self._block(text, ends)

    def _header(self, text: str) -> None:
        words = next(csv.reader(StringIO(text, newline="")), [])
        headings = [tables.heading_of(word.strip(), self.vocabulary) for word in words]
        tables.check_headings(headings, self.path)
        self.line = text.count("\n")
        self.headings = headings
        self.facts = [self.vocabulary.named(heading) for heading in headings]
        self.columns = [
            _Column(heading, fact, self._type(heading, fact), heading == self.profile_column)
            for heading, fact in zip(headings, self.facts, strict=True)
        ]

    def _type(self, heading: str, fact: Fact | None) -> pa.DataType | None:
        """The type of a column of lists of records; None for any other."""
        lists = self.vocabulary.lists()
        kind = lists.get(heading)
        if kind is None:
            kind = next((k for k in lists.values() if k.label.zh == heading), None)
        if fact is not None:
            kind = (kind or lists.get(fact.key)) if fact.type is Type.RECORDS else None
        at = -1 if kind is None else self.schema.get_field_index(kind.list_key)
        return None if at < 0 else self.schema.field(at).type

    # --- rows ----------------------------------------------------------------------------------

    def _parts(self, raw: IO[bytes]) -> Iterator[_Part]:
        """The file in UTF-8, cut where rows end."""
        kept = b""
        for text, done in _utf8(raw, self.encoding):
            kept += text
            ends = _row_ends(kept)
            if len(ends):
                cut = int(ends[-1]) + 1
                self.done = done
                yield kept[:cut], ends
                kept = kept[cut:]
        if kept:
            kept += b"\n"
            ends = _row_ends(kept)
            if not len(ends) or ends[-1] != len(kept) - 1:
                raise _Odd
            yield kept, ends

    def _block(self, part: bytes, ends: Ints) -> Iterator[Block]:
        rows = self._rows(part, ends)
        columns = [c.read(texts) for c, texts in zip(self.columns, rows.columns, strict=True)]
        said = np.zeros(len(rows.lines), dtype=bool)
        hard = np.zeros(len(rows.lines), dtype=bool)
        for column in columns:
            said |= column.said
            hard |= column.hard
        for row, cells in rows.longer.items():
            hard[row] = any(cell.strip() for cell in cells)
            said[row] = hard[row]
        held = np.flatnonzero(said)
        names = [c.heading for c in self.columns if c.heading]
        arrays = [c.array for c, of in zip(columns, self.columns, strict=True) if of.heading]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        if len(held) < len(said):
            batch = batch.take(pa.array(held))
        lines = rows.lines[held]

        def row_of(number: int) -> Row:
            place = f"{self.name}:{lines[number]}"
            cells = rows.cells(int(held[number]))
            return tables.as_row(
                place, tables.cells_of(self.headings, self.facts, cells, place), self.profile_column
            )

        if len(held):
            yield Block(batch, hard[held], lines, self.done, row_of)

    def _rows(self, part: bytes, ends: Ints) -> _Rows:
        """The cells of whole rows."""
        newlines = np.flatnonzero(np.frombuffer(part, dtype=np.uint8) == _LF)
        if np.diff(ends, prepend=-1).max() > csv.field_size_limit():
            raise _Odd
        lines = self.line + 1 + np.searchsorted(newlines, ends)
        longer: dict[int, list[str]] = {}
        try:
            columns = _texts(part, self.columns)
        except pa.ArrowException:  # some row is shorter or longer than the header
            part, longer = self._evened(part, ends)
            columns = _texts(part, self.columns)
        if len(columns[0]) != len(ends):
            raise _Odd
        self.line += len(newlines)
        return _Rows(columns, lines, longer)

    def _evened(self, part: bytes, ends: Ints) -> tuple[bytes, dict[int, list[str]]]:
        """Short rows are filled up; long ones are empty, and their cells beside them."""
        signs = np.frombuffer(part, dtype=np.uint8)
        within = (np.cumsum(signs == _QUOTE, dtype=np.uint8) & 1).view(bool)
        commas = np.flatnonzero((signs == _COMMA) & ~within)
        begins = np.concatenate(([0], ends[:-1] + 1))
        most = len(self.headings) - 1
        missing = most - np.searchsorted(commas, ends) + np.searchsorted(commas, begins)
        longer, pieces, done = {}, [], 0
        for row in np.flatnonzero(missing).tolist():
            begin, end = int(begins[row]), int(ends[row])
            whole = part[begin:end].removesuffix(b"\r")
            if missing[row] < 0:
                (longer[row],) = csv.reader(StringIO(whole.decode(), newline=""))
                whole = b""
            commas_left = int(missing[row]) if missing[row] > 0 else most
            pieces += [part[done:begin], whole, b"," * commas_left]
            done = end
        return b"".join([*pieces, part[done:]]), longer

    # --- the rest, row by row ------------------------------------------------------------------

    def _by_rows(self) -> Iterator[Block]:
        """What was not given out yet, all of it hard."""
        meter = tables.Meter()
        listed = tables.csv_rows(self.path, self.vocabulary, meter, self.name, self.line)
        rows = (tables.as_row(*placed, self.profile_column) for placed in listed)
        while part := list(islice(rows, tables.BATCH)):
            nothing = pa.RecordBatch.from_arrays([pa.nulls(len(part), pa.string())], ["case_no"])
            hard = np.ones(len(part), dtype=bool)
            lines = np.array([int(row.place.rpartition(":")[2]) for row in part])
            yield Block(nothing, hard, lines, meter.done(), part.__getitem__)


def _utf8(raw: IO[bytes], encoding: str) -> Iterator[tuple[bytes, int]]:
    """The text of a file in UTF-8, and how much of the file was read for it."""
    decoder = getincrementaldecoder(encoding)()
    if encoding == tables.UTF_8:
        yield raw.read(len(_BOM)).removeprefix(_BOM), len(_BOM)
    while part := raw.read(CHUNK):
        text = part if encoding == tables.UTF_8 else decoder.decode(part).encode()
        yield text, raw.tell()
    yield decoder.decode(b"", final=True).encode(), raw.tell()


def _row_ends(part: bytes) -> Ints:
    """Where rows end: the newlines that do not stand between quotes.

    Raises _Odd where a quote opens within a cell or something follows one that closed, and
    where a line ends in a carriage return alone.
    """
    signs = np.frombuffer(part, dtype=np.uint8)
    returns = np.flatnonzero(signs == _CR)
    if (signs[returns[returns + 1 < len(signs)] + 1] != _LF).any():
        raise _Odd
    quotes = np.flatnonzero(signs == _QUOTE)
    around = (_COMMA, _LF, _CR, _QUOTE)
    opening, closing_ = quotes[::2], quotes[1::2]
    before = signs[opening[opening > 0] - 1]
    after = signs[closing_[closing_ + 1 < len(signs)] + 1]
    if not (np.isin(before, around).all() and np.isin(after, around).all()):
        raise _Odd
    newlines = np.flatnonzero(signs == _LF)
    out: Ints = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return out


def _texts(part: bytes, columns: Sequence[_Column]) -> list[pa.Array]:
    """The cells of whole rows as texts, distinct texts once, but for lists of records."""
    words = pa.dictionary(pa.int32(), pa.string())
    kinds = {
        str(number): words if column.listed is None else pa.string()
        for number, column in enumerate(columns)
    }
    found = pa.csv.read_csv(
        pa.py_buffer(part),
        pa.csv.ReadOptions(column_names=list(kinds), block_size=len(part) + 1),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(column_types=kinds, strings_can_be_null=False, check_utf8=False),
    )
    return [column.combine_chunks() for column in found.unify_dictionaries().columns]


@dataclass(slots=True)
class _Read:
    """A column of a block: what is said where, and the cells that it cannot hold."""

    array: pa.Array
    said: Bits
    hard: Bits


@dataclass(slots=True)
class _Column:
    """One column of a file. ``listed``: its type where it holds records; ``profiles``: it names
    the profile of each row.
    """

    heading: str
    fact: Fact | None
    listed: pa.DataType | None
    profiles: bool
    _known: dict[str, Any] = field(default_factory=dict)

    def read(self, texts: pa.Array) -> _Read:
        if self.listed is not None:
            cells = [text.strip() for text in texts.to_pylist()]
            array, hard = _records(cells, self.listed)
            return _Read(array, np.array([bool(text) for text in cells], dtype=bool), hard)
        distinct = [text.strip() for text in texts.dictionary.to_pylist()]
        array, hard = self._scalars(distinct)
        which = texts.indices.to_numpy(zero_copy_only=False)
        said = np.array([bool(text) for text in distinct], dtype=bool)
        return _Read(array.take(texts.indices), said[which], hard[which])

    def _scalars(self, distinct: Sequence[str]) -> tuple[pa.Array, Bits]:
        kind = pa.string() if self.fact is None else tables.arrow_type(self.fact)
        plain = self._plain(distinct, kind)
        rest = distinct if plain is None else [distinct[i] for i in plain[1]]
        if len(self._known) > MEANINGS_KEPT:
            self._known.clear()
        known = self._known
        for text in set(rest).difference(known):
            known[text] = self._meaning(text)
        values = [known[text] for text in rest]
        hard = np.array([value is _HARD for value in values], dtype=bool)
        found = pa.array([None if v is _HARD else v for v in values], kind)
        if plain is None:
            return found, hard
        whole = np.zeros(len(distinct), dtype=bool)
        whole[plain[1]] = hard
        return pc.replace_with_mask(plain[0], plain[2], found), whole

    def _plain(
        self, distinct: Sequence[str], kind: pa.DataType
    ) -> tuple[pa.Array, Ints, pa.Array] | None:
        """Numbers of few digits as they are; which cells are something else."""
        if self.fact is None or self.fact.type not in NUMBERS or self.profiles:
            return None
        texts = pa.array(distinct, pa.string())
        other = pc.invert(pc.match_substring_regex(texts, _PLAIN[kind == pa.int64()]))
        found = pc.if_else(other, "0", texts).cast(kind)
        return found, np.flatnonzero(np.asarray(other)), other

    def _meaning(self, text: str) -> Any:
        if not text:
            return None
        if self.fact is None:
            return text if self.heading and tables.records_of(text) is text else _HARD
        if self.profiles and self.fact.type not in (Type.TEXT, Type.ENUM):
            return _HARD
        return in_column(self.fact, tables.cell_of(self.fact, text))


def in_column(fact: Fact, value: Any) -> Any:
    """The wire value of a cell as the column of a docket holds it; whether it fits the fact is
    left to the reader of columns.

    INVARIANT: what the column holds means what the value means; else it holds none (``_HARD``).
    """
    if fact.many or fact.type is Type.SET:
        return value if isinstance(value, list) else _HARD
    if fact.type not in (Type.BOOL, *NUMBERS):
        return value if isinstance(value, str) else _HARD
    try:
        typed = from_wire(fact, value)
        if fact.type is Type.BOOL:
            return typed if isinstance(typed, bool) else _HARD
        return _number(fact, value, typed)
    except (Unfit, TypeError, ValueError, ArithmeticError):
        return _HARD


def _number(fact: Fact, value: Any, typed: Any) -> Any:
    if not isinstance(value, (int, Decimal)) or not -_EXACT < value < _EXACT:
        return _HARD
    if fact.type is Type.INT:
        return typed if isinstance(typed, int) else _HARD
    exact = isinstance(value, int) or from_wire(fact, float(value)) == typed
    return float(value) if exact else _HARD


def _records(texts: Sequence[str], kind: pa.DataType) -> tuple[pa.Array, Bits]:
    """Lists of records from JSON; hard are those that are none, or not of this type."""
    plain = pa.array(texts, pa.string())
    listed = np.asarray(pc.starts_with(plain, "["))
    listed &= ~np.asarray(pc.match_substring_regex(plain, _DELICATE))
    written = [
        text if is_list else "[]" if text == NOTHING else "null"
        for text, is_list in zip(texts, listed.tolist(), strict=True)
    ]
    found, read = _parsed(written, kind)
    empty = np.array([text in ("", NOTHING) for text in texts], dtype=bool)
    return found, ~(empty | listed & read)


def _parsed(cells: Sequence[str], kind: pa.DataType) -> tuple[pa.Array, Bits]:
    """JSON lists as records, and which of them were read. What cannot be read all at once is
    parted.
    """
    if not cells:
        return pa.array([], kind), np.zeros(0, dtype=bool)
    lines = "".join(['{"x":' + cell + "}\n" for cell in cells]).encode()
    try:
        found = pa.json.read_json(
            pa.py_buffer(lines),
            pa.json.ReadOptions(block_size=len(lines) + 1),
            pa.json.ParseOptions(
                explicit_schema=pa.schema([("x", kind)]),
                newlines_in_values=True,
                unexpected_field_behavior="error",
            ),
        )
        if found.num_rows == len(cells):
            return found.column("x").combine_chunks(), np.ones(len(cells), dtype=bool)
    except pa.ArrowException:
        pass
    if len(cells) <= FEW:
        return pa.nulls(len(cells), kind), np.zeros(len(cells), dtype=bool)
    half = len(cells) // 2
    one, other = _parsed(cells[:half], kind), _parsed(cells[half:], kind)
    return pa.concat_arrays([one[0], other[0]]), np.concatenate((one[1], other[1]))
