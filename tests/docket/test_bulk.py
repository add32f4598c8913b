"""Batches screened as columns against the same rows screened one by one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from docket.plain import Spoiler
from eligibility.decision.decide import Decider
from eligibility.docket.results import Row, result_schema, without_silence
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from oracle.generate import DAYS as DAYS_OF_LAW
from oracle.generate import CaseWriter, random_base

AS_OF = date(2025, 6, 1)
TODAY = date(2025, 9, 1)


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules()


@pytest.fixture(scope="module")
def decider(shipped: Rulebase) -> Decider:
    return Decider(shipped)


def compare(
    decider: Decider,
    batch: pa.RecordBatch,
    as_of: date | None = AS_OF,
    profile: str | None = None,
    column: str | None = None,
    dates: bool = False,
) -> int:
    """The number of rows judged alone; asserts that each row is answered as by itself."""
    alone = Screening(decider, TODAY, as_of, profile, dates)
    rows = []
    for number, row in enumerate(batch.to_pylist()):
        payload = without_silence(row)
        named = payload.pop(column, None) if column else None
        rows.append(Row(f"docket:{7 + number}", payload, named))
    wanted = list(alone.screen(rows))
    screening = Screening(decider, TODAY, as_of, profile, dates)
    found = screening.screen_batch(batch, ("docket", 7), column)
    assert found.schema == result_schema()
    for number, (one, other) in enumerate(zip(wanted, found.to_pylist(), strict=True)):
        assert other == one, (number, rows[number].payload)
    return screening.odd


def ordinary(rulebase: Rulebase, seed: int, count: int) -> pa.RecordBatch:
    rows = list(Synthesis(rulebase, seed, AS_OF).cases(count))
    return pa.RecordBatch.from_pylist(rows, docket_schema(rulebase.vocabulary))


@pytest.mark.parametrize("profile", [None, "national", "js-yancheng", "sc"])
def test_ordinary_dockets_are_judged_as_columns(
    decider: Decider, shipped: Rulebase, profile: str | None
) -> None:
    """INVARIANT: the same answers, and hardly a row judged alone."""
    assert compare(decider, ordinary(shipped, 17, 1_000), AS_OF, profile) <= 1


@pytest.mark.parametrize("as_of", [AS_OF, None])
@pytest.mark.parametrize("seed", range(3))
def test_spoilt_dockets(decider: Decider, shipped: Rulebase, seed: int, as_of: date | None) -> None:
    batch = Spoiler(shipped, Random(f"bulk {seed}"), AS_OF, 0.7).batch(400)
    odd = compare(decider, batch, as_of)
    assert 30 < odd < 350


def test_cases_of_which_little_is_known(decider: Decider, shipped: Rulebase) -> None:
    """Most of the facts taken away: most cases are open, with several records each."""
    random = Random(4)
    rows = []
    for case in Synthesis(shipped, 23, AS_OF).cases(500):
        share = random.choice((0.1, 0.3, 0.6, 0.95))
        kept = {key: value for key, value in case.items() if random.random() > share}
        for name in ("debtors", "properties"):
            for record in kept.get(name) or ():
                for key in list(record):
                    if random.random() < share:
                        del record[key]
            if kept.get(name) and random.random() < 0.3:
                kept[name] = kept[name] * random.choice((1, 2, 3, 30))
        rows.append(kept)
    batch = pa.RecordBatch.from_pylist(rows, docket_schema(shipped.vocabulary))
    for profile in (None, "sc", "js-yancheng"):
        assert compare(decider, batch, AS_OF, profile) < 10


def test_a_profile_in_each_row(decider: Decider, shipped: Rulebase) -> None:
    batch = ordinary(shipped, 29, 200)
    named: list[Any] = [("national", "sc", "", None, "no such profile")[n % 5] for n in range(200)]
    batch = batch.append_column("辖区", pa.array(named, pa.string()))
    assert compare(decider, batch, AS_OF, None, "辖区") >= 40


@pytest.mark.parametrize("seed", range(6))
def test_random_rule_bases(seed: int) -> None:
    """Other rules, closings, overrides, constraints, definitions, days on which the law changes."""
    rulebase = random_base(seed, constraints=seed % 3)
    decider, day = Decider(rulebase), DAYS_OF_LAW[seed % 4]
    writer = CaseWriter(rulebase, Random(seed), day)
    rows = [_exact(writer.payload()) for _ in range(80)]
    batch = pa.RecordBatch.from_pylist(rows, docket_schema(rulebase.vocabulary))
    odd = compare(decider, batch, day, "low", dates=seed % 2 == 1)
    assert odd < 60
    decider.close()


def _exact(value: Any) -> Any:
    """A payload with its decimals as floats, as Arrow has them."""
    if isinstance(value, dict):
        return {key: _exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value


def test_with_dates_every_row_is_answered(decider: Decider, shipped: Rulebase) -> None:
    """Also on which day time changes the outcome; hardly a row is judged alone for that."""
    assert compare(decider, ordinary(shipped, 31, 150), AS_OF, dates=True) <= 5
    spoilt = Spoiler(shipped, Random("dates"), AS_OF, 0.7).batch(60)
    compare(decider, spoilt, None, dates=True)


def test_batches_of_any_size(decider: Decider, shipped: Rulebase) -> None:
    whole = ordinary(shipped, 37, 120)
    screening = Screening(decider, TODAY, AS_OF, None, False)
    at_once = screening.screen_batch(whole, ("d", 1)).to_pylist()
    for size in (1, 7, 119):
        parts: list[dict[str, Any]] = []
        for begin in range(0, 120, size):
            part = whole.slice(begin, size)
            parts += screening.screen_batch(part, ("d", 1 + begin)).to_pylist()
        assert parts == at_once
    assert screening.screen_batch(whole.slice(0, 0), ("d", 1)).num_rows == 0


def test_words_as_dictionaries_are_the_same(decider: Decider, shipped: Rulebase) -> None:
    batch = ordinary(shipped, 41, 150)
    columns = [c.dictionary_encode() if c.type == pa.string() else c for c in batch.columns]
    coded = pa.RecordBatch.from_arrays(columns, batch.schema.names)
    screening = Screening(decider, TODAY, AS_OF, None, False)
    plain = screening.screen_batch(batch, ("d", 1))
    assert screening.screen_batch(coded, ("d", 1)).to_pylist() == plain.to_pylist()
    assert np.all(np.asarray(plain.column("error").is_null()))
