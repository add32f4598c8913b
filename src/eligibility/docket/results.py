"""One row of a docket and the columns of its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eligibility.vocabulary.model import Vocabulary

COLUMNS = (
    "case_no",
    "court_id",
    "outcome",
    "possible_outcomes",
    "recommended_mode",
    "effective_rules",
    "unknown_facts",
    "changes_on",
    "changes_to",
    "error",
)
LISTS = frozenset({"possible_outcomes", "effective_rules", "unknown_facts"})
Entry = dict[str, Any]
Payload = Any  # the facts of a case, or an EligibilityError of its reader


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a docket with its place in its file; ``profile`` where the row names it."""

    place: str
    payload: Payload
    profile: str | None = None


def names_of(vocabulary: Vocabulary, key: str) -> tuple[str, ...]:
    """The headings under which a docket may have a fact: its key, and its label if it is one."""
    fact = vocabulary.facts.get(key)
    return (key,) if fact is None else (key, fact.label.zh)


def without_silence(row: Entry) -> Entry:
    """A row without its nulls, also inside records: a column that is empty says nothing."""
    out = {key: value for key, value in row.items() if value is not None}
    for key, value in out.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            out[key] = [without_silence(r) if isinstance(r, dict) else r for r in value]
    return out


def result_schema() -> pa.Schema:
    """The columns of a result; names that repeat are dictionary-encoded."""
    word = pa.dictionary(pa.int32(), pa.string())
    plain = {"case_no": pa.string(), "error": pa.string(), "changes_on": pa.string()}
    return pa.schema(
        [(c, pa.list_(pa.string()) if c in LISTS else plain.get(c, word)) for c in COLUMNS]
    )


def replaced(found: pa.RecordBatch, entries: list[Entry], odd: NDArray[np.bool_]) -> pa.RecordBatch:
    """A result with the odd rows put in their places."""
    alone = pa.RecordBatch.from_pylist(entries, found.schema)
    order = np.arange(len(odd))
    order[odd] = len(odd) + np.arange(len(entries))
    both = pa.Table.from_batches([found, alone]).unify_dictionaries().combine_chunks()
    (out,) = both.take(pa.array(order)).combine_chunks().to_batches()
    return out
