"""What the whole docket knows: exact where it can be, unknown where it cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docket.dockets import IDS, blurred, by_hand, dockets, linked_by_hand
from eligibility.decision.decide import Decider
from eligibility.docket import tables
from eligibility.docket.chains import components
from eligibility.docket.debtors import NO_LIMIT, DebtorCounts
from eligibility.docket.facts import EXTRA, DocketFacts
from eligibility.docket.first_pass import Gathered, Gathering
from eligibility.docket.identifiers import Index, comparable, hashes, prints, trimmed
from eligibility.docket.mentions import Words, mentions_of_batch, mentions_of_payloads
from eligibility.docket.policy import Cuts, policy_of
from eligibility.docket.results import Row, without_silence
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)
QUICK = settings(max_examples=60, deadline=None)


@cache
def rules() -> Rulebase:
    return load_rules()


@pytest.fixture(name="shipped")
def fixture_shipped() -> Rulebase:
    return rules()


def gathered(rulebase: Rulebase, rows: Sequence[Any], parts: int = 1) -> Gathered:
    policy, words = policy_of(rulebase, "sc", AS_OF), Words.of(rulebase.vocabulary)
    gathering = Gathering(rulebase, policy)
    for part in range(parts):
        gathering.add(mentions_of_payloads(rows[part::parts], words))
    return gathering.finish()


def bounds_of(found: Gathered, rows: Sequence[Any]) -> dict[str, tuple[int, ...]]:
    """The bounds of each debtor of these rows, who are all that were found."""
    words = Words.of(rules().vocabulary)
    held = [debtors.ids for debtors in mentions_of_payloads(rows, words).debtors]
    ids = pa.chunked_array(held, pa.string()).drop_null().unique()
    codes = found.index.codes(ids)
    assert sorted(codes) == list(range(len(found.index)))
    columns = zip(*(values.tolist() for values in found.bounds.at(codes).columns()), strict=True)
    return dict(zip(ids.to_pylist(), columns, strict=True))


def facts_of(rulebase: Rulebase, rows: Sequence[Any], **options: Any) -> DocketFacts:
    """The facts of a docket of payloads, for all of which the rules of Sichuan hold."""
    found = gathered(rulebase, rows)
    counts = DebtorCounts.of_docket(found.index, found.bounds, options.get("complete", False))
    if "debtors" in options:
        counts = counts.with_register(options["debtors"])
    empty = DocketFacts.of_table(register(), rulebase, "sc", AS_OF)
    policy, loads = empty.policy, empty.loads
    return DocketFacts(rulebase, policy, counts, found.chains, loads, "sc", AS_OF)


def register(*rows: tuple[str, int | None, int | None]) -> pa.Table:
    names = ("debtor_id", "open_cases", "courts")
    kinds = (pa.string(), pa.int64(), pa.int64())
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table(
        {n: pa.array(list(c), k) for n, c, k in zip(names, columns, kinds, strict=True)}
    )


def case(number: int, court: str, *debtors: str, **facts: Any) -> dict[str, Any]:
    held = [{"debtor_id": name} for name in debtors]
    usual = {"case_no": f"执{number}号", "court_id": court, "procedure_status": "enforcing"}
    return usual | {"debtors": held} | facts


def ten(
    courts: Sequence[str] = ("青羊区法院", "富顺法院"), count: int = 10
) -> list[dict[str, Any]]:
    return [case(n, courts[n % len(courts)], "甲") for n in range(count)]


def first_debtor(facts: DocketFacts, payload: Any) -> dict[str, Any]:
    found: dict[str, Any] = facts.fill_row(payload)["debtors"][0]
    return found


# --- counting -----------------------------------------------------------------------------------


@QUICK
@given(rows=dockets(), parts=st.integers(1, 3))
def test_counts_are_those_made_by_hand(rows: list[dict[str, Any]], parts: int) -> None:
    """Several debtors a case, one twice in a case, files in any order; nothing is unknown."""
    found = bounds_of(gathered(rules(), rows, parts), rows)
    counted = by_hand(rows, terminated=True)
    assert found == {
        name: (cases, cases, courts, courts) for name, (cases, courts) in counted.items()
    }


@QUICK
@given(rows=dockets(), data=st.data())
def test_the_truth_lies_within_the_bounds(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """Numbers, courts and states left out, rows twice, identifiers written otherwise."""
    shown = data.draw(blurred(rows))
    found = bounds_of(gathered(rules(), shown), shown)
    for name, (cases, courts) in by_hand(rows, terminated=True).items():
        cases_low, cases_high, courts_low, courts_high = found[name]
        assert cases_low <= cases <= cases_high
        assert courts_low <= courts <= courts_high


@QUICK
@given(rows=dockets(most=30), data=st.data(), complete=st.booleans())
def test_what_is_filled_in_is_as_good_as_the_truth(
    rows: list[dict[str, Any]], data: st.DataObject, complete: bool
) -> None:
    """No rule can tell a value that was put in from the true one, even of a part of the cases."""
    shown = data.draw(blurred(rows))
    if not complete:
        shown = [row for row in shown if data.draw(st.booleans())]
    facts = facts_of(rules(), shown, complete=complete)
    truth = by_hand(rows, terminated=True)
    for row in facts.fill_rows([Row("", row) for row in shown])[0]:
        for debtor in row.payload["debtors"]:
            cases, courts = truth[debtor["debtor_id"].strip().upper()]
            for key, true in (("same_debtor_open_cases", cases), ("same_debtor_courts", courts)):
                cut = facts.policy.cases if key == "same_debtor_open_cases" else facts.policy.courts
                assert cut is not None
                value = debtor.get(key)
                if value is not None:
                    low, high = sorted((value, true))
                    assert cut.settled(np.array([low]), np.array([high])).all()


def test_a_case_that_is_closed_does_not_count(shipped: Rulebase) -> None:
    rows = [*ten(count=9), case(9, "富顺法院", "甲", procedure_status="completed")]
    assert bounds_of(gathered(shipped, rows), rows)["甲"] == (9, 9, 2, 2)


def test_this_round_counts_as_the_rule_base_says(shipped: Rulebase) -> None:
    row = case(1, "富顺法院", "甲", procedure_status="终结本次执行程序")
    assert bounds_of(gathered(shipped, [row]), [row])["甲"] == (1, 1, 1, 1)
    policy = policy_of(shipped, "sc", AS_OF)
    for terminated, expected in ((0, (0, 0, 0, 0)), (1, (0, 1, 0, 1))):
        gathering = Gathering(shipped, type(policy)(terminated, policy.cases, policy.courts))
        gathering.add(mentions_of_payloads([row], Words.of(shipped.vocabulary)))
        assert bounds_of(gathering.finish(), [row])["甲"] == expected


def test_the_same_case_in_two_rows_is_one(shipped: Rulebase) -> None:
    rows = [case(1, "富顺法院", "甲"), case(1, "富顺法院", "甲", "乙")]
    assert bounds_of(gathered(shipped, rows), rows) == {"甲": (1, 1, 1, 1), "乙": (1, 1, 1, 1)}
    moved = [case(1, "富顺法院", "甲"), case(1, "青羊区法院", "甲")]
    assert bounds_of(gathered(shipped, moved), moved)["甲"] == (1, 2, 1, 2)
    closed = [case(1, "富顺法院", "甲"), case(1, "富顺法院", "甲", procedure_status="completed")]
    assert bounds_of(gathered(shipped, closed), closed)["甲"] == (0, 1, 0, 1)


def test_names_outside_of_the_register_may_mean_the_same_court(shipped: Rulebase) -> None:
    rows = [case(1, "某县人民法院", "甲"), case(2, "某县法院", "甲"), case(3, "富顺法院", "甲")]
    found = gathered(shipped, rows)
    assert bounds_of(found, rows)["甲"] == (3, 3, 1, 3)
    assert found.strangers == ["某县人民法院", "某县法院"]


@pytest.mark.parametrize("nobody", ["", " ", "无", "不详", "0000", "n/a", "-"])
def test_what_means_nobody_is_no_debtor(shipped: Rulebase, nobody: str) -> None:
    found = gathered(shipped, [case(n, "富顺法院", nobody) for n in range(3)])
    assert len(found.index) == 0
    assert found.without_debtor == 3


# --- identifiers --------------------------------------------------------------------------------


@QUICK
@given(st.lists(st.text(max_size=40), max_size=30), st.lists(st.text(max_size=40), max_size=10))
def test_an_index_answers_for_the_same_text_only(known: list[str], others: list[str]) -> None:
    distinct = list(dict.fromkeys(known))
    codes = Index(pa.array(distinct, pa.string())).codes(pa.array([*known, *others], pa.string()))
    expected = [distinct.index(t) if t in distinct else -1 for t in [*known, *others]]
    assert codes.tolist() == expected


def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def clashing(texts: pa.Array) -> Any:
        return np.full(len(texts), 7, dtype=np.uint64), prints(texts)[1]

    monkeypatch.setattr("eligibility.docket.identifiers.prints", clashing)
    monkeypatch.setattr("eligibility.docket.roll.prints", clashing)
    index = Index(pa.array(["甲", "乙", "丙"]))
    assert index.codes(pa.array(["丙", "丁", "甲", None, "乙"])).tolist() == [2, -1, 0, -1, 1]
    rows = [case(n, "富顺法院", "甲乙丙"[n % 3], "丁") for n in range(7)]
    found = bounds_of(gathered(rules(), rows, 2), rows)
    assert {name: bounds[0] for name, bounds in found.items()} == {
        "甲": 3,
        "乙": 2,
        "丙": 2,
        "丁": 7,
    }


def test_hashes_depend_on_the_text_and_on_nothing_else() -> None:
    texts = ["", "a", "甲", "a" * 4000, "a" * 4001, "\0", "\0\0", None]
    one = hashes(pa.array(texts))
    assert len(set(one[:-1].tolist())) == len(texts) - 1
    assert one[-1] == 0
    assert hashes(pa.array(["x", *texts]).slice(1)).tolist() == one.tolist()
    assert comparable(pa.array([" 51x ", "51X"])).to_pylist() == ["51X", "51X"]


def test_blanks_of_any_kind_are_taken_away() -> None:
    """The quick look at bytes finds every text that trimming would change."""
    for start in range(0, 0x110000, 0x4000):
        signs = [chr(n) for n in range(start, start + 0x4000) if not 0xD800 <= n <= 0xDFFF]
        for text in ("{}x", "x{}", "{}"):
            texts = pa.array([text.format(sign) for sign in signs])
            plain = pc.utf8_trim_whitespace(texts)
            changed = np.flatnonzero(np.asarray(pc.not_equal(plain, texts)))
            for at in changed.tolist():
                expected = plain[at].as_py() or None
                assert trimmed(texts.slice(at, 1)).to_pylist() == [expected]
    assert trimmed(pa.array(["甲", None, "", "乙"])).to_pylist() == ["甲", None, None, "乙"]
    assert trimmed(pa.array(["甲", None, "乙"]).slice(1)).to_pylist() == [None, "乙"]


@QUICK
@given(st.lists(st.sampled_from(["0", "00", "N", "NONE", "NULL", "N1", "01", "51X", "51x", "无"])))
def test_what_means_nobody_is_found_among_other_identifiers(texts: list[str]) -> None:
    nobody = {"0", "00", "NONE", "NULL", "无"}
    expected = [None if text in nobody else text.upper() for text in texts]
    assert comparable(pa.array(texts, pa.string())).to_pylist() == expected


# --- what settles -------------------------------------------------------------------------------


def test_a_bound_settles_where_no_rule_tells_more_from_it(shipped: Rulebase) -> None:
    policy = policy_of(shipped, "sc", AS_OF)
    assert policy.cases is not None
    low, no_limit = np.array([1, 2, 9, 10, 11]), np.full(5, NO_LIMIT)
    assert policy.cases.settled(low, no_limit).tolist() == [False, False, False, True, True]
    assert policy.cases.settled(low, low).all()
    assert Cuts(np.array([]), told=True).settled(low, low).all()
    assert not Cuts(np.array([]), told=True).settled(low, low + 1).any()


def test_ten_in_two_courts_are_enough_and_nine_are_not(shipped: Rulebase) -> None:
    facts = facts_of(shipped, ten())
    assert first_debtor(facts, ten()[0]) == {
        "debtor_id": "甲",
        "same_debtor_open_cases": 10,
        "same_debtor_courts": 2,
    }
    nine = facts_of(shipped, ten(count=9))
    assert first_debtor(nine, ten()[0]) == {"debtor_id": "甲", "same_debtor_courts": 2}
    whole = facts_of(shipped, ten(count=9), complete=True)
    assert first_debtor(whole, ten()[0])["same_debtor_open_cases"] == 9


def test_the_docket_of_one_court_does_not_say_that_there_is_one_court(shipped: Rulebase) -> None:
    rows = ten(courts=("富顺法院",), count=12)
    assert "same_debtor_courts" not in first_debtor(facts_of(shipped, rows), rows[0])
    assert first_debtor(facts_of(shipped, rows, complete=True), rows[0])["same_debtor_courts"] == 1


def test_a_given_number_stays_and_the_difference_is_shown(shipped: Rulebase) -> None:
    rows = ten(count=12)
    rows[0]["debtors"] = [{"debtor_id": "甲", "同一被执行人未实结案件数": 3}]
    facts = facts_of(shipped, rows)
    (filled, *_), (extra, *_) = facts.fill_rows([Row("", row) for row in rows])
    assert filled.payload == rows[0]
    assert extra["facts_from_docket"] == []
    assert extra["differs_from_docket"] == ["debtors[0].same_debtor_open_cases: 3, counted 12+"]


def test_a_given_number_that_fits_bounds_the_other(shipped: Rulebase) -> None:
    rows = ten(count=10)
    rows[0]["debtors"] = [{"debtor_id": "甲", "same_debtor_courts": 11}]
    facts = facts_of(shipped, rows)
    assert first_debtor(facts, rows[0])["same_debtor_open_cases"] == 11
    assert facts.fill_rows([Row("", rows[0])])[1][0]["differs_from_docket"] == []


def test_numbers_belong_to_a_debtor(shipped: Rulebase) -> None:
    """甲 owes in ten cases of one court, 乙 in two courts: nobody in ten cases of two."""
    rows = [case(n, "富顺法院", "甲") for n in range(9)]
    rows += [case(9, "富顺法院", "甲", "乙"), case(10, "青羊区法院", "乙")]
    filled = facts_of(shipped, rows, complete=True).fill_row(rows[9])
    assert [tuple(d.values()) for d in filled["debtors"]] == [("甲", 10, 1), ("乙", 2, 2)]


def test_counts_are_shown_as_far_as_they_are_known(shipped: Rulebase) -> None:
    rows = [*ten(), case(20, "富顺法院", "乙"), case(21, "富顺法院", "甲", procedure_status=None)]
    rows = [*rows, case(22, "富顺法院", "丙", "甲")]
    part, whole = (facts_of(shipped, rows, complete=complete) for complete in (False, True))
    shown = [f.fill_rows([Row("", row) for row in rows[10:]])[1] for f in (part, whole)]
    assert [e["debtor_counts"] for e in shown[0]] == [[], ["甲: 11+/2+"], ["甲: 11+/2+"]]
    assert [e["debtor_counts"] for e in shown[1]] == [
        ["乙: 1/1"],
        ["甲: 11-12/2"],
        ["丙: 1/1", "甲: 11-12/2"],
    ]


def test_filling_changes_no_row_that_it_was_given(shipped: Rulebase) -> None:
    rows = ten()
    before = json.dumps(rows, ensure_ascii=False)
    facts_of(shipped, rows).fill_rows([Row("", row) for row in rows])
    assert json.dumps(rows, ensure_ascii=False) == before


# --- registers of debtors -----------------------------------------------------------------------


def test_a_register_stands_before_counting(shipped: Rulebase) -> None:
    table = register(("甲", 9, 2), (" 乙", 30, None), ("丙", 4, 1))
    rows = [*ten(count=10), case(20, "富顺法院", "乙"), case(21, "富顺法院", "丁")]
    facts = facts_of(shipped, rows, debtors=table)
    assert first_debtor(facts, rows[0])["same_debtor_open_cases"] == 9
    assert first_debtor(facts, rows[10]) == {"debtor_id": "乙", "same_debtor_open_cases": 30}
    assert first_debtor(facts, rows[11]) == {"debtor_id": "丁"}
    assert first_debtor(facts, case(1, "", "丙"))["same_debtor_open_cases"] == 4
    extra = facts.fill_rows([Row("", rows[0])])[1][0]
    assert extra["differs_from_docket"] == [
        "debtors[0].same_debtor_open_cases: register 9, docket 10+"
    ]
    assert facts.summary()["conflicts"] == {"count": 1, "first": ["甲"]}


def test_a_register_that_contradicts_itself_is_refused() -> None:
    for rows, code in (
        ([("甲", 9, 2), ("甲", 8, 2)], "duplicate_fact"),
        ([("甲", 1, 2)], "contradictory_figures"),
    ):
        with pytest.raises(EligibilityError) as refused:
            DebtorCounts.of_table(register(*rows), True)
        assert refused.value.code == code


@pytest.mark.parametrize("complete", [True, False])
def test_counts_made_elsewhere_fill_the_same(shipped: Rulebase, complete: bool) -> None:
    table = register(("甲", 9, 2), ("乙", 12, 3), ("乙", 12, 3))
    facts = DocketFacts.of_table(table, shipped, "sc", AS_OF, complete=complete)
    nine = {"debtor_id": "甲", "same_debtor_courts": 2}
    expected = nine | {"same_debtor_open_cases": 9} if complete else nine
    assert first_debtor(facts, case(1, "", "甲")) == expected
    assert first_debtor(facts, case(1, "", "乙"))["same_debtor_open_cases"] == 12


# --- chains -------------------------------------------------------------------------------------


@QUICK
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_are_what_edges_connect(size: int, edges: list[tuple[int, int]]) -> None:
    edges = [(a % size, b % size) for a, b in edges]
    label = list(range(size))
    for _ in range(size):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    one, other = (np.array([e[i] for e in edges], dtype=np.int32) for i in (0, 1))
    assert components(size, one, other).tolist() == label


@QUICK
@given(rows=dockets(most=12))
def test_chains_are_what_hangs_together(rows: list[dict[str, Any]]) -> None:
    extra = facts_of(rules(), rows).fill_rows([Row("", row) for row in rows])[1]
    by_number: dict[int, set[int]] = {}
    for number, entry in enumerate(extra):
        if entry["chain"] is not None:
            by_number.setdefault(entry["chain"], set()).add(number)
    expected = [chain for chain in linked_by_hand(rows) if len(chain) > 1]
    assert list(by_number) == list(range(1, len(expected) + 1))
    assert sorted(map(sorted, by_number.values())) == sorted(map(sorted, expected))
    for chain in by_number.values():
        courts = {rows[n]["court_id"] for n in chain}
        assert {extra[n]["chain_cases"] for n in chain} == {len(chain)}
        assert {extra[n]["chain_courts"] for n in chain} == {len(courts)}


def test_a_number_in_the_list_of_one_case_links_nothing(shipped: Rulebase) -> None:
    rows = [case(n, "富顺法院", str(n), properties=[{"property_id": "1"}]) for n in (1, 2)]
    extra = facts_of(shipped, rows).fill_rows([Row("", row) for row in rows])[1]
    assert [entry["chain"] for entry in extra] == [None, None]


# --- batches and payloads -----------------------------------------------------------------------


def as_batch(rows: list[dict[str, Any]], rulebase: Rulebase) -> pa.RecordBatch:
    table = pa.Table.from_pylist(rows, tables.docket_schema(rulebase.vocabulary))
    return table.combine_chunks().to_batches()[0]


@QUICK
@given(rows=dockets(most=20), data=st.data(), complete=st.booleans())
def test_a_batch_is_filled_as_its_rows_are(
    rows: list[dict[str, Any]], data: st.DataObject, complete: bool
) -> None:
    rows = data.draw(blurred(rows))
    for row in rows:
        for debtor in row["debtors"]:
            debtor["same_debtor_courts"] = data.draw(st.sampled_from((None, None, 1, 3)))
        if data.draw(st.integers(0, 4)) == 0:
            row["debtors"] = None
    if not rows:
        return
    facts = facts_of(rules(), rows, complete=complete)
    batch = as_batch([{}, *rows], rules()).slice(1)
    filled, extra = facts.filled(batch)
    payloads = [without_silence(row) for row in batch.to_pylist()]
    made, more = facts.fill_rows([Row("", payload) for payload in payloads])
    assert [without_silence(r) for r in filled.to_pylist()] == [r.payload for r in made]
    assert extra.to_pylist() == more
    assert extra.schema == EXTRA


def test_a_batch_with_facts_written_in_the_row(shipped: Rulebase) -> None:
    """One debtor a case, columns named in Chinese, none for the counts."""
    batch = pa.RecordBatch.from_pydict(
        {
            "执行案号": [str(n) for n in range(10)],
            "现执行法院": ["富顺法院", "青羊区法院"] * 5,
            "程序状态": pa.array(["执行中"] * 10).dictionary_encode(),
            "被执行人标识": pa.array(["甲"] * 9 + [None]).cast(pa.large_string()),
        }
    )
    words = Words.of(shipped.vocabulary)
    gathering = Gathering(shipped, policy_of(shipped, "sc", AS_OF))
    gathering.add(mentions_of_batch(batch, words))
    found = gathering.finish()
    counts = DebtorCounts.of_docket(found.index, found.bounds, True)
    plain = DocketFacts.of_table(register(), shipped, "sc", AS_OF)
    facts = DocketFacts(shipped, plain.policy, counts, None, plain.loads, "sc", AS_OF)
    filled = facts.fill(batch)
    assert filled["same_debtor_open_cases"].to_pylist() == [9] * 9 + [None]
    assert filled["same_debtor_courts"].to_pylist() == [2] * 9 + [None]
    assert facts.fill_row({"被执行人标识": "甲"})["same_debtor_open_cases"] == 9


def test_columns_of_another_type_are_left_to_the_reader(shipped: Rulebase) -> None:
    batch = pa.RecordBatch.from_pydict(
        {"debtor_id": ["甲", "乙"], "same_debtor_courts": ["3", None], "court_id": [1, 2]}
    )
    facts = DocketFacts.of_table(register(("甲", 9, 2), ("乙", 9, 2)), shipped, complete=True)
    filled = facts.fill(batch)
    assert filled["same_debtor_open_cases"].to_pylist() == [None, 9]
    assert filled["same_debtor_courts"].to_pylist()[0] == "3"


def test_rows_of_any_shape_are_left_to_the_reader(shipped: Rulebase) -> None:
    rows: list[Any] = [
        None,
        [],
        {"被执行人": None, "debtors": [{"debtor_id": "甲"}, "甲", None, {"被执行人标识": "甲"}]},
        {"debtors": {"debtor_id": "甲"}, "debtor_id": 3, "court_id": ["x"], "case_no": 5},
        {"debtor_id": "\ud800", "procedure_status": {}, "property_id": 1.5},
        {"debtors": [{"debtor_id": "甲", "same_debtor_courts": "二"}]},
        EligibilityError(()),
    ]
    facts = facts_of(shipped, [*ten(), *rows])
    filled, extra = facts.fill_rows([Row("", row) for row in rows])
    assert [row.payload for row in filled[:2]] == rows[:2]
    first, text, nothing, last = filled[2].payload["debtors"]
    assert (text, nothing) == ("甲", None)
    assert first["same_debtor_courts"] == last["same_debtor_courts"] == 2
    assert [row.payload for row in filled[3:]] == rows[3:]
    assert len(extra) == len(rows)


def test_batches_of_any_shape_are_left_to_the_reader(shipped: Rulebase, tmp_path: Path) -> None:
    record = pa.struct([("debtor_id", pa.string())])
    held = pa.array([[{"debtor_id": "甲"}, None], None, []], pa.large_list(record))
    facts = facts_of(shipped, ten())
    filled = facts.fill(pa.RecordBatch.from_pydict({"被执行人": held, "x": [1, 2, 3]}))
    first = {"debtor_id": "甲", "same_debtor_open_cases": 10, "same_debtor_courts": 2}
    assert filled["被执行人"].to_pylist() == [[first, None], None, []]
    for column in (pa.array(["甲"]), pa.array([["甲"]]), pa.nulls(1)):
        batch = pa.RecordBatch.from_pydict({"debtors": column})
        assert facts.fill(batch)["debtors"].equals(column)
    nothing = tmp_path / "nothing.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), nothing)
    assert DocketFacts.gather([nothing], shipped).gathered.rows == 2  # type: ignore[union-attr]
    pq.write_table(pa.table({"case_no": pa.array([], pa.string())}), nothing)
    assert DocketFacts.gather([nothing], shipped).summary()["debtors"] == 0


# --- rules --------------------------------------------------------------------------------------


def test_a_docket_reaches_the_rule_of_ten(shipped: Rulebase) -> None:
    """A made-up docket: the answer on each case is the one it has alone with these facts."""
    decider = Decider(shipped)
    payloads = list(Synthesis(shipped, 3, AS_OF).cases(400))
    facts = facts_of(shipped, payloads)
    screening = Screening(decider, AS_OF, AS_OF, "sc", False)
    rows, extra = facts.fill_rows([Row(str(n), p) for n, p in enumerate(payloads)])
    reached = 0
    for row, entry, more in zip(rows, screening.screen(rows), extra, strict=True):
        if entry["error"] is not None or "XQ-12" not in entry["effective_rules"]:
            continue
        reached += any("same_debtor_open_cases" in text for text in more["facts_from_docket"])
        one = decider.decide(
            row.payload, today=AS_OF, as_of=AS_OF, profile="sc", engine="native", full=True
        )
        assert one["outcome"] == entry["outcome"]
    assert reached
    decider.close()


def test_filling_refuses_no_row(shipped: Rulebase) -> None:
    decider = Decider(shipped)
    payloads = list(Synthesis(shipped, 5, AS_OF).cases(600))
    facts = facts_of(shipped, payloads, complete=True)
    screening = Screening(decider, AS_OF, AS_OF, "sc", False)
    before = [Row("", p) for p in payloads]
    after = facts.fill_rows(before)[0]
    for one, other in zip(screening.screen(before), screening.screen(after), strict=True):
        assert one["error"] is not None or other["error"] is None
    decider.close()


def test_parquet_is_read_for_its_columns_only(shipped: Rulebase, tmp_path: Path) -> None:
    """A file of which everything else is broken or foreign still counts."""
    path = tmp_path / "d.parquet"
    rows = [{**row, "note": {"x": 1}, "filing_date": 7} for row in ten()]
    pq.write_table(pa.Table.from_pylist(rows), path)
    facts = DocketFacts.gather([path], shipped, "sc", AS_OF)
    assert first_debtor(facts, rows[0])["same_debtor_open_cases"] == 10
    assert facts.counts.index.codes(pa.array([IDS[0], "x"])).tolist() == [0, -1]


def test_a_case_of_a_court_not_in_the_register_may_stand_twice() -> None:
    """Counting the cases of the courts of the register leaves other courts out."""
    rulebase = load_rules()
    (court, *_) = rulebase.courts
    rows: list[dict[str, Any]] = [
        {"case_no": f"{number}", "court_id": name, "procedure_status": "enforcing"}
        for number, name in ((1, court), (1, court), (2, "某某法院"), (3, court))
    ]
    said = mentions_of_payloads(rows, Words.of(rulebase.vocabulary))
    facts = DocketFacts.of_mentions([said], rulebase, None, None, complete=True)
    assert facts.gathered is not None
    assert facts.gathered.enforced[court] == 2
