"""The schema says what the reader does: they accept and refuse the same payloads."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from eligibility.documents import read_json
from eligibility.errors import FactsError
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import Fact, Type
from eligibility.vocabulary.payload import MAX_RECORDS, read_case
from eligibility.vocabulary.schema import case_type, example, form, json_schema
from vocabulary.payloads import JUNK, payload, right

# What the module of the schema names as beyond a schema.
CROSS_CHECKS = {
    "duplicate_fact",
    "ambiguous_record",
    "dates_out_of_order",
    "future_event",
    "as_of_conflict",
}
VOCABULARY = load_rules().vocabulary
SCHEMA = json_schema(VOCABULARY)
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
FACTS = [f for f in VOCABULARY.facts.values() if f.scope in VOCABULARY.payload_scopes()]


def problems(case: Any) -> set[str]:
    """The codes that the reader answers with, the case having gone over the wire."""
    try:
        read_case(read_json(json.dumps(case)), VOCABULARY)
    except FactsError as error:
        return {p.code for p in error.problems}
    return set()


def agree(case: Any) -> None:
    found = problems(case)
    if VALIDATOR.is_valid(case):
        assert found <= CROSS_CHECKS, found
    else:
        assert found, next(VALIDATOR.iter_errors(case)).message[:500]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


@settings(max_examples=600, deadline=None, derandomize=True)
@given(payload(VOCABULARY, wrong=True))
def test_schema_and_reader_agree(case: dict[str, Any]) -> None:
    agree(case)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(payload(VOCABULARY, wrong=False))
def test_both_accept_what_is_right(case: dict[str, Any]) -> None:
    VALIDATOR.validate(case)
    assert problems(case) == set()


@settings(
    max_examples=1500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
@given(st.data())
def test_they_agree_on_each_value(data: st.DataObject) -> None:
    """One fact at a time, so that no misfit hides behind another."""
    fact = data.draw(st.sampled_from(FACTS))
    value = data.draw(JUNK if fact.type is Type.RECORDS else st.one_of(right(fact), JUNK))
    word = data.draw(st.sampled_from([fact.key, fact.label.zh]))
    agree({word: value})


@pytest.mark.parametrize("whole", [[], None, 1, "x", True])
def test_a_case_is_a_mapping(whole: Any) -> None:
    agree(whole)


def test_lists_are_bounded() -> None:
    kind = VOCABULARY.records["property"]
    agree({kind.list_key: [{}] * MAX_RECORDS})
    agree({kind.list_key: [{}] * (MAX_RECORDS + 1)})
    assert not VALIDATOR.is_valid({kind.list_key: [{}] * (MAX_RECORDS + 1)})


@pytest.mark.parametrize(
    "interval",
    [
        {},
        {"kind": "appraisal"},
        {"kind": None, "from": "2024-01-01"},
        {"kind": "appraisal", "from": "2024-01-01"},
        {"期间种类": "鉴定评估", "开始日": "2024-01-01"},
        {"kind": None, "期间种类": "鉴定评估", "from": "2024-01-01"},
    ],
)
def test_intervals_need_a_kind_and_a_beginning(interval: dict[str, Any]) -> None:
    agree({"excluded_intervals": [interval]})


def _first(kind: Type) -> Fact:
    return next(f for f in FACTS if f.type is kind and not f.derived)


def test_what_a_schema_cannot_say() -> None:
    """The documented differences: the schema accepts, the reader refuses."""
    money, number, flag = (_first(kind) for kind in (Type.MONEY, Type.INT, Type.BOOL))
    of_property = next(f for f in FACTS if f.scope == "property" and f.type is Type.BOOL)
    for case, code in (
        ({money.key: 1.005}, "wrong_type"),
        ({number.key: 1.0}, "wrong_type"),
        ({flag.key: True, flag.label.zh: True}, "duplicate_fact"),
        ({of_property.key: True, "properties": [{}]}, "ambiguous_record"),
    ):
        assert VALIDATOR.is_valid(case)
        assert problems(case) == {code}


# --- example, form, type ------------------------------------------------------------------


def test_the_example_is_accepted() -> None:
    case = example(VOCABULARY)
    VALIDATOR.validate(case)
    assert problems(case) == set()
    assert {VOCABULARY.facts[k].type for k in case if k in VOCABULARY.facts} >= {
        Type.BOOL,
        Type.DATE,
        Type.ENUM,
    }


def test_the_form_has_every_field_once() -> None:
    scopes = form(VOCABULARY)["scopes"]
    found = [
        (scope["scope"], field["key"])
        for scope in scopes
        for group in scope["groups"]
        for field in group["fields"]
    ]
    facts = {(f.scope, f.key) for f in VOCABULARY.facts.values() if f.type is not Type.RECORDS}
    fields = {(k.name, f) for k in VOCABULARY.records.values() for f in k.fields}
    assert sorted(found) == sorted(facts | fields)


def test_fields_of_enums_have_options() -> None:
    by_key = {
        field["key"]: field
        for scope in form(VOCABULARY)["scopes"]
        for group in scope["groups"]
        for field in group["fields"]
    }
    for fact in VOCABULARY.facts.values():
        if fact.type in (Type.ENUM, Type.SET):
            assert [o["value"] for o in by_key[fact.key]["options"]] == list(fact.values)


def test_the_type_documents_but_does_not_validate() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(case_type(VOCABULARY))
    assert adapter.validate_python({"no such fact": object}) == {"no such fact": object}
    with pytest.raises(ValidationError):
        adapter.validate_python([])
    shown = adapter.json_schema()
    assert shown["properties"] == SCHEMA["properties"]
    assert "$schema" not in shown
    assert shown["examples"] == [example(VOCABULARY)]
