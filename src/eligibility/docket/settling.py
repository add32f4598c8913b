"""What becomes known of the debtors of a batch, and how it is shown beside the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.docket.debtors import NO_LIMIT, Bounds, DebtorCounts
from eligibility.docket.filling import NOT_FILLED
from eligibility.docket.identifiers import Bits, Codes, Ints
from eligibility.docket.mentions import NOT_SAID, Debtors
from eligibility.docket.policy import COURTS, OPEN_CASES, Policy


@dataclass(slots=True)
class Settled:
    """Some debtors: their bounds; by fact the values to put in (``NOT_FILLED``: none), and where
    what the row gives lies outside of the bounds, or the register of debtors of what the docket
    shows. ``places``: which debtor of its row each is.
    """

    debtors: Debtors
    codes: Codes
    bounds: Bounds
    seen: Bounds
    values: dict[str, Ints]
    differs: dict[str, Bits]
    conflicts: Bits
    places: Ints


def settle(debtors: Debtors, counts: DebtorCounts, policy: Policy, most: int) -> Settled:
    """The values that the rules cannot tell from any other within the bounds of each debtor.

    Nothing is put beside a given number that the docket contradicts, so that filling never
    makes a row contradictory. ``most``: the largest value of the facts.
    INVARIANT: a value that is put in is the same to every rule as the number counted by hand.
    """
    codes = counts.index.codes(debtors.ids)
    bounds, seen = counts.bounds.at(codes), counts.seen.at(codes)
    cases, courts = debtors.cases, debtors.courts
    outside = {
        OPEN_CASES: (cases >= 0) & ((cases < bounds.cases_low) | (cases > bounds.cases_high)),
        COURTS: (courts >= 0) & ((courts < bounds.courts_low) | (courts > bounds.courts_high)),
    }
    known = codes >= 0
    low, high = np.maximum(bounds.cases_low, courts), bounds.cases_high
    limit = np.where(cases >= 0, np.minimum(bounds.courts_high, cases), bounds.courts_high)
    courts_low = np.minimum(bounds.courts_low, limit)
    values = {}
    for key, given, other, least, greatest, cuts in (
        (OPEN_CASES, cases, courts, low, high, policy.cases),
        (COURTS, courts, cases, courts_low, limit, policy.courts),
    ):
        other_key = COURTS if key == OPEN_CASES else OPEN_CASES
        free = known & (given == NOT_SAID) & (other >= NOT_SAID) & ~outside[other_key]
        fits = np.zeros(len(codes), dtype=bool) if cuts is None else cuts.settled(least, greatest)
        values[key] = np.where(free & fits, np.minimum(least, most), NOT_FILLED)
    conflicts = counts.conflicting(codes)
    first = np.searchsorted(debtors.owners, debtors.owners)
    places = np.arange(len(codes)) - first
    return Settled(debtors, codes, bounds, seen, values, outside, conflicts, places)


# --- shown --------------------------------------------------------------------------------------

Texts = list[tuple[Codes, pa.Array]]  # rows, and a text for each


def counted(settled: Settled) -> tuple[Codes, pa.Array]:
    """``甲: 12/3`` (cases/courts), ``12+`` at least so many, ``10-12`` within.

    Nothing of a debtor of whom only one case is seen in a docket that may be a part.
    """
    more = (settled.bounds.cases_low > 1) | (settled.bounds.cases_high < NO_LIMIT)
    shown = np.flatnonzero((settled.codes >= 0) & more)
    at = [values[shown] for values in settled.bounds.columns()]
    ids = settled.debtors.ids.take(pa.array(shown))
    made = pc.binary_join_element_wise(ids, _range(at[0], at[1]), ": ")
    return settled.debtors.owners[shown], pc.binary_join_element_wise(
        made, _range(at[2], at[3]), "/"
    )


def put_in(settled: Settled, key: str, list_key: str) -> tuple[Codes, pa.Array]:
    """``debtors[0].same_debtor_open_cases=12``, ``>=12`` where it may be more."""
    shown = np.flatnonzero(settled.values[key] != NOT_FILLED)
    values = settled.values[key][shown]
    low, high = _bounds(settled, key)
    exact = pa.array((low == high)[shown])
    sign = pc.if_else(exact, "=", ">=")
    text = pc.binary_join_element_wise(
        _paths(settled, shown, key, list_key), sign, pa.array(values).cast(pa.string()), ""
    )
    return settled.debtors.owners[shown], text


def differing(settled: Settled, key: str, list_key: str) -> tuple[Codes, pa.Array]:
    """``debtors[0].same_debtor_open_cases: 3, docket 12+``, and the same for a register."""
    given = settled.debtors.cases if key == OPEN_CASES else settled.debtors.courts
    low, high = _bounds(settled, key)
    seen = settled.seen.cases_low if key == OPEN_CASES else settled.seen.courts_low
    shown = np.flatnonzero(settled.differs[key])
    owners, texts = [settled.debtors.owners[shown]], []
    texts.append(
        pc.binary_join_element_wise(
            pc.binary_join_element_wise(
                _paths(settled, shown, key, list_key),
                pa.array(given[shown]).cast(pa.string()),
                ": ",
            ),
            _range(low[shown], high[shown]),
            ", counted ",
        )
    )
    listed = np.flatnonzero(settled.conflicts & (seen > high))
    owners.append(settled.debtors.owners[listed])
    texts.append(
        pc.binary_join_element_wise(
            pc.binary_join_element_wise(
                _paths(settled, listed, key, list_key), pa.array(high[listed]).cast(pa.string()),
                ": register ",
            ),
            pc.binary_join_element_wise(pa.array(seen[listed]).cast(pa.string()), "+", ""),
            ", docket ",
        )
    )  # fmt: skip
    return np.concatenate(owners), pa.concat_arrays(texts)


def lists_of(rows: int, parts: Sequence[tuple[Codes, pa.Array]]) -> pa.Array:
    """Texts of rows as a column of lists, in the order of the parts."""
    owners = np.concatenate([np.zeros(0, dtype=np.int32), *(owners for owners, _ in parts)])
    texts = pa.concat_arrays([pa.array([], pa.string()), *(t.cast(pa.string()) for _, t in parts)])
    order = np.argsort(owners, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=rows))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts.take(pa.array(order)))


def _bounds(settled: Settled, key: str) -> tuple[Ints, Ints]:
    bounds = settled.bounds
    if key == OPEN_CASES:
        return bounds.cases_low, bounds.cases_high
    return bounds.courts_low, bounds.courts_high


def _paths(settled: Settled, shown: Ints, key: str, list_key: str) -> pa.Array:
    if settled.debtors.flat:
        return pa.array([key] * len(shown), pa.string())
    number = pa.array(settled.places[shown]).cast(pa.string())
    return pc.binary_join_element_wise(f"{list_key}[", number, f"].{key}", "")


def _range(low: Ints, high: Ints) -> pa.Array:
    least, most = (pa.array(values).cast(pa.string()) for values in (low, high))
    within = pc.binary_join_element_wise(least, most, "-")
    more = pc.binary_join_element_wise(least, "+", "")
    open_ = pc.if_else(pa.array(high >= NO_LIMIT), more, within)
    return pc.if_else(pa.array(low == high), least, open_)


def texts_of(
    settled: Sequence[Settled], list_key: str
) -> Mapping[str, list[tuple[Codes, pa.Array]]]:
    """The texts of the three columns, by row."""
    keys = (OPEN_CASES, COURTS)
    return {
        "debtor_counts": [counted(one) for one in settled],
        "facts_from_docket": [put_in(one, key, list_key) for one in settled for key in keys],
        "differs_from_docket": [differing(one, key, list_key) for one in settled for key in keys],
    }
