"""What derivations on columns are made with: columns, words, and what does not fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from eligibility.docket.columns import KNOWN, Column, Ints
from eligibility.vocabulary.model import Type

if TYPE_CHECKING:
    from eligibility.docket.deriving import Batch, BulkDerivations

Compute = Callable[["Batch"], Column]
WORDS = frozenset({Type.ENUM, Type.SET, Type.TEXT})


class Unfit(Exception):
    """A derivation that columns cannot express: its cases are judged one by one."""


def made(values: Any, state: Any, words: tuple[Any, ...] = ()) -> Column:
    """A column with 0 wherever nothing is known."""
    state = np.asarray(state, dtype=np.uint8)
    values = np.where(state == KNOWN, values, 0).astype(np.int64, copy=False)
    return Column(values, state, words)


def looked_up(table: Any, values: Ints) -> Any:
    """``table[values]``; of an empty table (nothing is known) zeros."""
    return table[values] if len(table) else np.zeros(len(values), dtype=table.dtype)


def worded(d: BulkDerivations, *keys: str) -> None:
    """Refuses facts that are not held as words."""
    for key in keys:
        fact = d.vocabulary.facts[key]
        if not (fact.many or fact.type in WORDS):
            raise Unfit(key)


def dated(d: BulkDerivations, *keys: str) -> None:
    """Refuses facts that are not dates; of the others it is seen that the tables hold them."""
    for key in keys:
        if d.vocabulary.facts[key].type is not Type.DATE:
            raise Unfit(key)
        d.dates.add(key)


def on_shared_words(one: Column, other: Column) -> tuple[Ints, Ints, tuple[Any, ...]]:
    """The values of two columns as positions in one list of words."""
    if one.words == other.words:
        return one.values, other.values, one.words
    places = {word: i for i, word in enumerate(one.words)}
    moved = np.array([places.setdefault(w, len(places)) for w in other.words], dtype=np.int64)
    return one.values, looked_up(moved, other.values), tuple(places)
