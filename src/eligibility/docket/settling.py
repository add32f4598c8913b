"""What becomes known of the debtors of a batch, and how it is shown beside the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    bounds = counts.bounds.at(codes)
    seen = counts.seen.at(codes) if counts.any_listed else bounds  # told only beside a register
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

_ROOM, _WIDE = 1 << 62, 1 << 14


def counted(settled: Settled) -> tuple[Codes, pa.Array]:
    """``甲: 12/3`` (cases/courts), ``12+`` at least so many, ``10-12`` within.

    Nothing of a debtor of whom only one case is seen in a docket that may be a part.
    """
    more = (settled.bounds.cases_low > 1) | (settled.bounds.cases_high < NO_LIMIT)
    shown = np.flatnonzero((settled.codes >= 0) & more)
    numbers = spelled(
        lambda cases, most, courts, widest: f": {_range(cases, most)}/{_range(courts, widest)}",
        *(values[shown] for values in settled.bounds.columns()),
    )
    ids = settled.debtors.ids.take(pa.array(shown))
    return settled.debtors.owners[shown], pc.binary_join_element_wise(ids, numbers, "")


def put_in(settled: Settled, key: str, list_key: str) -> tuple[Codes, pa.Array]:
    """``debtors[0].same_debtor_open_cases=12``, ``>=12`` where it may be more."""
    shown = np.flatnonzero(settled.values[key] != NOT_FILLED)
    low, high = _bounds(settled, key)
    path = _path(settled, key, list_key)
    text = spelled(
        lambda place, more, value: f"{path(place)}{'>=' if more else '='}{value}",
        settled.places[shown],
        (low != high)[shown].astype(np.int64),
        settled.values[key][shown],
    )
    return settled.debtors.owners[shown], text


def differing(settled: Settled, key: str, list_key: str) -> tuple[Codes, pa.Array]:
    """``debtors[0].same_debtor_open_cases: 3, docket 12+``, and the same for a register."""
    given = settled.debtors.cases if key == OPEN_CASES else settled.debtors.courts
    low, high = _bounds(settled, key)
    seen = settled.seen.cases_low if key == OPEN_CASES else settled.seen.courts_low
    path = _path(settled, key, list_key)
    shown = np.flatnonzero(settled.differs[key])
    said = spelled(
        lambda place, value, low, high: f"{path(place)}: {value}, counted {_range(low, high)}",
        *(values[shown] for values in (settled.places, given, low, high)),
    )
    listed = np.flatnonzero(settled.conflicts & (seen > high))
    registers = spelled(
        lambda place, high, seen: f"{path(place)}: register {high}, docket {seen}+",
        *(values[listed] for values in (settled.places, high, seen)),
    )
    owners = settled.debtors.owners
    return np.concatenate([owners[shown], owners[listed]]), pa.concat_arrays([said, registers])


def spelled(spell: Callable[..., str], *columns: Ints) -> pa.Array:
    """A text for each row of some columns of numbers from 0, spelled once for those alike."""
    if not len(columns[0]):
        return pa.array([], pa.string())
    key, room = np.zeros(len(columns[0]), dtype=np.int64), _ROOM
    for values in columns:
        least = int(values.min())
        values, width = values - least, int(values.max()) - least + 1
        if width > _WIDE:
            encoded = pa.array(values).dictionary_encode()
            values, width = np.asarray(encoded.indices), len(encoded.dictionary)
        if width > room:  # numbers too large for one key
            return pa.array(
                [spell(*row) for row in zip(*(v.tolist() for v in columns), strict=True)]
            )
        key, room = key * width + values, room // width
    codes = np.asarray(pa.array(key).dictionary_encode().indices)
    first = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    alike = zip(*(values[first].tolist() for values in columns), strict=True)
    return pa.array([spell(*row) for row in alike], pa.string()).take(pa.array(codes))


def lists_of(rows: int, parts: Sequence[tuple[Codes, pa.Array]]) -> pa.Array:
    """Texts of rows as a column of lists, in the order of the parts."""
    owners = np.concatenate([np.zeros(0, dtype=np.int32), *(owners for owners, _ in parts)])
    texts = pa.concat_arrays([pa.array([], pa.string()), *(t.cast(pa.string()) for _, t in parts)])
    if bool((owners[1:] < owners[:-1]).any()):
        texts = texts.take(pa.array(np.argsort(owners, kind="stable")))
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=rows))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts)


def _bounds(settled: Settled, key: str) -> tuple[Ints, Ints]:
    bounds = settled.bounds
    if key == OPEN_CASES:
        return bounds.cases_low, bounds.cases_high
    return bounds.courts_low, bounds.courts_high


def _path(settled: Settled, key: str, list_key: str) -> Callable[[int], str]:
    """The path of a fact of a debtor, by his place in the row."""
    if settled.debtors.flat:
        return lambda _: key
    return lambda place: f"{list_key}[{place}].{key}"


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"{low}+" if high >= NO_LIMIT else f"{low}-{high}"


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
