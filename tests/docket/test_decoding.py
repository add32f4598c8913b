"""Arrow batches read into columns against the same rows read one by one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docket.plain import Spoiler
from docket.scattering import value
from eligibility.docket.cells import Cells
from eligibility.docket.columns import Columns
from eligibility.docket.decoding import Decoder
from eligibility.docket.results import without_silence
from eligibility.docket.synth import Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.payload import Case, read_case
from eligibility.vocabulary.values import Unfit, from_wire

AS_OF = date(2025, 6, 1)
TODAY = date(2025, 9, 1)
EVERY_TEXT = frozenset({"case_no", "court_id", "main_property_court", "asked_court"})


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules()


def read_alone(rulebase: Rulebase, row: dict[str, Any], as_of: date | None) -> Case | None:
    """The case of a row, as a screening reads it; None where it is refused."""
    payload = without_silence(row)
    try:
        case = read_case(payload, rulebase.vocabulary, as_of)
        return case if case.as_of else read_case(payload, rulebase.vocabulary, TODAY)
    except EligibilityError:
        return None


def compare(rulebase: Rulebase, batch: pa.RecordBatch, as_of: date | None) -> int:
    """The number of odd rows; asserts that the others are as read one by one."""
    columns = Decoder(rulebase.vocabulary, EVERY_TEXT).decode(batch, as_of, TODAY).columns
    for row, payload in enumerate(batch.to_pylist()):
        alone = read_alone(rulebase, payload, as_of)
        if alone is None:
            assert columns.odd[row], payload
        elif not columns.odd[row]:
            assert_same(rulebase, columns, row, alone)
    return int(columns.odd.sum())


def assert_same(rulebase: Rulebase, columns: Columns, row: int, alone: Case) -> None:
    assert alone.as_of is not None
    assert columns.as_of[row] == alone.as_of.toordinal()
    assert bool(columns.silent[row]) == (alone.intervals is None)
    for fact in rulebase.vocabulary.facts.values():
        if fact.type is Type.TEXT and not fact.many and fact.key not in EVERY_TEXT:
            continue
        for index, held in enumerate(
            [alone.facts] if fact.scope == CASE else alone.records.get(fact.scope, [])
        ):
            table = columns.case if fact.scope == CASE else columns.records[fact.scope]
            at = row if fact.scope == CASE else columns.records[fact.scope].offsets[row] + index
            assert value(fact.type, table.facts.get(fact.key), at) == held.get(fact.key), fact.key
    for scope, records in columns.records.items():
        assert np.diff(records.offsets)[row] == len(alone.records[scope])
    first = columns.intervals.offsets[row]
    fields = rulebase.vocabulary.records["excluded_interval"].fields
    for index, interval in enumerate(alone.intervals or ()):
        said = {
            key: value(fact.type, columns.intervals.facts.get(key), first + index)
            for key, fact in fields.items()
        }
        assert (said["kind"], said["from"], said["to"]) == (
            interval.kind,
            interval.start,
            interval.end,
        )
        numbers = (said["doc_no"], interval.doc_no)
        assert len({bool(number and number.strip()) for number in numbers}) == 1
        assert (said["stated_end"], bool(said["guarantee"])) == (
            interval.stated_end,
            interval.guarantee,
        )


def test_an_ordinary_docket_has_no_odd_row(shipped: Rulebase) -> None:
    rows = list(Synthesis(shipped, 3, AS_OF).cases(800))
    batch = pa.RecordBatch.from_pylist(rows, docket_schema(shipped.vocabulary))
    assert compare(shipped, batch, AS_OF) == 0
    assert compare(shipped, batch.slice(37, 300), AS_OF) == 0


@pytest.mark.parametrize("as_of", [AS_OF, None])
@pytest.mark.parametrize("seed", range(4))
def test_spoilt_rows_are_read_alike_or_odd(
    shipped: Rulebase, seed: int, as_of: date | None
) -> None:
    batch = Spoiler(shipped, Random(seed), AS_OF).batch(400)
    assert 40 < compare(shipped, batch, as_of) < 300
    assert compare(shipped, batch.slice(11, 150), as_of) > 0


def test_columns_of_other_types(shipped: Rulebase) -> None:
    """What other programs write: days as dates, whole numbers as floats, labels, flat records."""
    columns = {
        "执行案号": pa.array(["一", "二", "三", None]),
        "filing_date": pa.array([date(2024, 5, 1), None, date(2030, 1, 1), date(1900, 1, 1)]),
        "petition_count": pa.array([1.0, 1.5, None, 2.0]),
        "outstanding_amount_yuan": pa.array([Decimal("1.10"), None, Decimal("1.11"), Decimal("0")]),
        "court_conflict": pa.array(["是", "否", "true", None]),
        "complexity_tags": pa.array([[], None, [], []], pa.list_(pa.string())),
        "debtor_class": pa.array([None, "natural", None, None]),
        "bankruptcy_state": pa.array(["none", "none", None, None]),
        "debtors": pa.array([None, [{"bankruptcy_state": "none"}], [{"什么": 1}], [{}]]),
    }
    batch = pa.RecordBatch.from_arrays([*columns.values()], [*columns])
    assert compare(shipped, batch, AS_OF) == 3
    twice = pa.RecordBatch.from_arrays(
        [pa.array(["甲", None]), pa.array(["乙", "丙"])], ["case_no", "执行案号"]
    )
    assert compare(shipped, twice, AS_OF) == 2
    listed = pa.RecordBatch.from_arrays([pa.array(["甲", None])], ["properties"])
    assert compare(shipped, listed, AS_OF) == 1


NUMBERS = st.one_of(
    st.floats(allow_nan=True),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.integers(-(10**17), 10**17).map(lambda n: n / 1000),
)


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=20))
def test_floats_are_what_is_written(shipped: Rulebase, numbers: list[float]) -> None:
    """INVARIANT: a cell that fits has the value of ``from_wire``, any other does not fit."""
    for key in ("outstanding_amount_yuan", "months_undisposed", "petition_count"):
        fact = shipped.vocabulary.facts[key]
        column, misfits = Cells(fact).read(pa.array(numbers, pa.float64()))
        for row, number in enumerate(numbers):
            found = _wire(fact, number)
            if found is None:
                assert misfits[row]
            elif not misfits[row]:
                assert value(fact.type, column, row) == found


def _wire(fact: Fact, raw: Any) -> Any:
    try:
        return from_wire(fact, raw)
    except Unfit:
        return None


def test_a_document_number_is_blank_where_python_says_so(shipped: Rulebase) -> None:
    """Of a text that nothing asks about a column tells only whether ``str.strip`` leaves any."""
    number = shipped.vocabulary.records["excluded_interval"].fields["doc_no"]
    signs = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts: list[str | None] = [*signs, *(f" {sign}" for sign in signs), "", "  ", None]
    column, misfits = Cells(number, checked_only=True).read(pa.array(texts))
    assert not misfits.any()
    said = [bool(column.words[value].strip()) for value in column.values.tolist()]
    assert said == [bool(text and text.strip()) for text in texts]
    assert column.state.tolist() == [int(text is not None) for text in texts]
