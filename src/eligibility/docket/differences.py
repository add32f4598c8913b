"""Two results of one docket compared: new cases, gone cases, cured, changed and why.

A case is its number at its court (by whatever name of the register). A number that stands
twice at a court on either side is compared with nothing: it is reported. What is compared is
split by the numbers into parts that fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eligibility.docket.breakdown import Grid, key_of
from eligibility.docket.result_file import REJECTED, Codes, Ints, ResultFile
from eligibility.docket.result_parts import Part, Side, Words, parts_of
from eligibility.rulebase.model import Rulebase

NEW, GONE, COURT, WRONG, READ, CURED, FLIPPED, REASONS, SAME = KINDS = (
    "new",
    "gone",
    "court_changed",
    "now_rejected",
    "now_judged",
    "cured",
    "outcome_changed",
    "reasons_changed",
    "same",
)
CURABLE = "return_to_cure"
SHOWN_DUPLICATES = 20
_TEXTS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("kind", _TEXTS),
        ("case_no", pa.string()),
        ("court_id", _TEXTS),
        ("court_before", _TEXTS),
        ("outcome_before", _TEXTS),
        ("outcome", _TEXTS),
        ("rules_began", pa.list_(pa.string())),
        ("rules_ceased", pa.list_(pa.string())),
        ("facts_newly_open", pa.list_(pa.string())),
        ("facts_no_longer_open", pa.list_(pa.string())),
        ("changes_on", pa.string()),
        ("changes_to", _TEXTS),
        ("error_before", pa.string()),
        ("error", pa.string()),
    ]
)
Entry = dict[str, Any]
Sink = Callable[[pa.Table], None]
Bits = NDArray[np.bool_]
Change = tuple[Ints, Ints]  # the pair of each entry, and the entry


def compare(before: ResultFile, after: ResultFile, rulebase: Rulebase, sink: Sink) -> Entry:
    """Counts of what differs; every case that is not the same goes to ``sink``, in tables of
    :data:`SCHEMA`, those of one part in the order of the later result, gone cases last."""
    words = Words(rulebase)
    comparison = _Comparison(words, rulebase, sink)
    for part in parts_of(before, after, words):
        comparison.add(part)
    return comparison.as_dict() | {"before": before.about, "after": after.about}


class _Comparison:
    def __init__(self, words: Words, rulebase: Rulebase, sink: Sink) -> None:
        self.words, self.sink = words, sink
        self.open = {o.name for o in rulebase.outcomes if o.when.get("kind") == "qualify"}
        self.bars = {rule.id for rule in rulebase.rules.values() if rule.kind == "bar"}
        self.rows = [0, 0]
        self.unnumbered = [0, 0]
        self.duplicates: Entry = {"cases": 0, "rows_before": 0, "rows": 0, "first": []}
        self.kinds = np.zeros(len(KINDS), dtype=np.int64)
        self.flows = Grid()
        self.bars_gone = 0
        self.still_rejected = 0
        self.began, self.ceased, self.opened, self.closed = (Tally() for _ in range(4))

    def add(self, part: Part) -> None:
        old, new = part.before, part.after
        for at, side in enumerate((old, new)):
            self.rows[at] += side.rows + side.unnumbered
            self.unnumbered[at] += side.unnumbered
        match = Match(part)
        self._add_duplicates(part, match)
        self._add_pairs(old, new, match)
        here = np.full(len(match.new), -1, dtype=np.int64), match.new
        self._emit(old, new, here, np.full(len(match.new), KINDS.index(NEW)), {})
        there = match.gone, np.full(len(match.gone), -1, dtype=np.int64)
        self._emit(old, new, there, np.full(len(match.gone), KINDS.index(GONE)), {})

    def _add_duplicates(self, part: Part, match: Match) -> None:
        told = self.duplicates
        told["cases"] += len(match.duplicates)
        for key, was, is_ in match.duplicates:
            told["rows_before"] += was
            told["rows"] += is_
            if len(told["first"]) < SHOWN_DUPLICATES:
                number, court = part.named(key)
                entry = {"case_no": number, "court_id": self.words.court(court)}
                told["first"].append(entry | {"rows_before": was, "rows": is_})

    def _add_pairs(self, old: Side, new: Side, match: Match) -> None:
        one, other = match.pairs
        outcomes = old.outcome[one], new.outcome[other]
        rejected = [found == self.words.outcomes.number(REJECTED) for found in outcomes]
        judged = ~rejected[0] & ~rejected[1]
        changes: dict[str, Change] = {}
        for name, began, ceased in (
            ("rules", "rules_began", "rules_ceased"),
            ("facts", "facts_newly_open", "facts_no_longer_open"),
        ):
            was = _entries(old.lists[name], one, judged)
            now = _entries(new.lists[name], other, judged)
            changes[began], changes[ceased] = _only(now, was), _only(was, now)
        kinds = self._kinds(old, new, match, outcomes, rejected, changes)
        self.still_rejected += int((rejected[0] & rejected[1]).sum())
        flipped = judged & (outcomes[0] != outcomes[1])
        self.flows.add(outcomes[0][flipped], outcomes[1][flipped])
        self._add_changes(changes, judged & (outcomes[0] == outcomes[1]))
        self._emit(old, new, match.pairs, kinds, changes)

    def _kinds(
        self,
        old: Side,
        new: Side,
        match: Match,
        outcomes: tuple[Ints, Ints],
        rejected: list[Bits],
        changes: dict[str, Change],
    ) -> Ints:
        was, now = outcomes
        open_ = [self.words.outcomes.number(name) for name in self.open]
        cured = (was == self.words.outcomes.number(CURABLE)) & np.isin(now, open_)
        touched = np.zeros(len(was), dtype=bool)
        possible = [
            _entries(side.lists["possible"], rows, ~rejected[0] & ~rejected[1])
            for side, rows in zip((old, new), match.pairs, strict=True)
        ]
        for pairs, _ in (*changes.values(), _only(*possible), _only(*possible[::-1])):
            touched[pairs] = True
        tests = [
            (match.moved, COURT),
            (rejected[1] & ~rejected[0], WRONG),
            (rejected[0] & ~rejected[1], READ),
            (cured, CURED),
            (was != now, FLIPPED),
            (touched, REASONS),
        ]
        numbers = [KINDS.index(kind) for _, kind in tests]
        found = np.select([test for test, _ in tests], numbers, KINDS.index(SAME))
        return found.astype(np.int64)

    def _add_changes(self, changes: dict[str, Change], unmoved: Bits) -> None:
        self.began.add(changes["rules_began"][1])
        self.ceased.add(changes["rules_ceased"][1])
        self.opened.add(changes["facts_newly_open"][1])
        self.closed.add(changes["facts_no_longer_open"][1])
        pairs, rules = changes["rules_ceased"]
        bars = [n for n, word in enumerate(self.words.rules.words) if word in self.bars]
        lifted = pairs[np.isin(rules, bars) & unmoved[pairs]]  # in order
        self.bars_gone += len(lifted) - int((lifted[1:] == lifted[:-1]).sum())

    # --- cases ---------------------------------------------------------------------------------

    def _emit(
        self,
        old: Side,
        new: Side,
        pairs: tuple[Ints, Ints],
        kinds: Ints,
        changes: dict[str, Change],
    ) -> None:
        self.kinds += np.bincount(kinds, minlength=len(KINDS))
        shown = np.flatnonzero(kinds != KINDS.index(SAME))
        if not len(shown):
            return
        one, other = pairs[0][shown], pairs[1][shown]
        here = other >= 0
        words = self.words
        court = np.where(here, new.at("court", other), old.at("court", one))
        before = np.where(kinds[shown] == KINDS.index(COURT), old.at("court", one), -1)
        made = {
            "kind": _texts(kinds[shown], KINDS),
            "case_no": _either(new.numbers, other, old.numbers, one),
            "court_id": _texts(court, words.courts.words),
            "court_before": _texts(before, words.courts.words),
            "outcome_before": _texts(old.at("outcome", one), words.outcomes.words),
            "outcome": _texts(new.at("outcome", other), words.outcomes.words),
            "changes_on": new.taken("changes_on", other),
            "changes_to": _texts(new.at("changes_to", other), words.outcomes.words),
            "error_before": old.taken("error", one),
            "error": new.taken("error", other),
        }
        for name in ("rules_began", "rules_ceased", "facts_newly_open", "facts_no_longer_open"):
            coded = words.rules if name.startswith("rules") else words.facts
            made[name] = _lists(changes.get(name), shown, coded)
        self.sink(pa.Table.from_pydict({name: made[name] for name in SCHEMA.names}, SCHEMA))

    def as_dict(self) -> Entry:
        words = self.words
        facts = [key_of(path) for path in words.facts.words]
        return {
            "rows_before": self.rows[0],
            "rows": self.rows[1],
            "kinds": dict(zip(KINDS, self.kinds.tolist(), strict=True)),
            "flows": self.flows.named(words.outcomes, words.outcomes),
            "bar_gone_same_outcome": self.bars_gone,
            "still_rejected": self.still_rejected,
            "rules_began": self.began.named(words.rules.words),
            "rules_ceased": self.ceased.named(words.rules.words),
            "facts_newly_open": self.opened.named(facts),
            "facts_no_longer_open": self.closed.named(facts),
            "duplicates": self.duplicates,
            "without_number": {"before": self.unnumbered[0], "after": self.unnumbered[1]},
        }


class Match:
    """The rows of a part that belong together. ``pairs``: positions before and after, in the
    order of the later result; ``moved``: of each pair whether its court differs; ``new`` and
    ``gone``: positions; ``duplicates``: key, rows before, rows after."""

    def __init__(self, part: Part) -> None:
        keys, inverse = np.unique(
            np.concatenate((part.keys_before, part.keys)), return_inverse=True
        )
        count = len(part.keys_before)
        sides = inverse[:count], inverse[count:]
        was, is_ = (np.bincount(side, minlength=len(keys)) for side in sides)
        twice = np.flatnonzero((was > 1) | (is_ > 1))
        self.duplicates = [(int(keys[k]), int(was[k]), int(is_[k])) for k in twice.tolist()]
        once = [np.flatnonzero((was[side] < 2) & (is_[side] < 2)) for side in sides]
        place = np.full(len(keys), -1, dtype=np.int64)
        place[sides[0][once[0]]] = once[0]
        found = place[sides[1][once[1]]]
        both = found >= 0
        gone, new = once[0][is_[sides[0][once[0]]] == 0], once[1][~both]
        moved = _by_number(part, gone, new)
        self.gone, self.new = gone[~_among(gone, moved[0])], new[~_among(new, moved[1])]
        pairs = [np.concatenate((found[both], moved[0])), np.concatenate((once[1][both], moved[1]))]
        order = np.argsort(pairs[1], kind="stable")
        self.pairs = pairs[0][order], pairs[1][order]
        self.moved = (np.arange(len(order)) >= int(both.sum()))[order]


def _by_number(part: Part, gone: Ints, new: Ints) -> tuple[Ints, Ints]:
    """Rows of one number, alone on either side, at different courts."""
    was, now = part.number_of(part.keys_before[gone]), part.number_of(part.keys[new])
    one, other = (np.sort(_alone(found)) for found in (was, now))
    shared = one[_among(one, other)]
    rows = [np.flatnonzero(_among(found, shared)) for found in (was, now)]
    ordered = [r[np.argsort(f[r], kind="stable")] for r, f in zip(rows, (was, now), strict=True)]
    return gone[ordered[0]], new[ordered[1]]


def _alone(numbers: Ints) -> Ints:
    """The numbers that stand once."""
    found, counts = np.unique(numbers, return_counts=True)
    alone: Ints = found[counts == 1]
    return alone


def _among(these: Ints, those: Ints) -> Bits:
    """Of each of these whether it stands in those. By sorting: numpy's sets, which hash, are
    slower here by an order of magnitude."""
    if not len(those):
        return np.zeros(len(these), dtype=bool)
    known = np.sort(those)
    at = np.minimum(np.searchsorted(known, these), len(known) - 1)
    found: Bits = known[at] == these
    return found


class Tally:
    """Counts by number."""

    def __init__(self) -> None:
        self.counts: Ints = np.zeros(0, dtype=np.int64)

    def add(self, numbers: Ints) -> None:
        found = np.bincount(numbers, minlength=len(self.counts)).astype(np.int64)
        found[: len(self.counts)] += self.counts
        self.counts = found

    def named(self, words: list[str]) -> dict[str, int]:
        """The most frequent first; numbers of one word together."""
        out: dict[str, int] = {}
        for word, count in zip(words, self.counts.tolist(), strict=False):
            if count:
                out[word] = out.get(word, 0) + count
        return dict(sorted(out.items(), key=lambda one: (-one[1], one[0])))


def _entries(lists: Change, rows: Ints, wanted: Bits) -> Change:
    """The entries of the lists of some rows, by the pair that each row belongs to."""
    owners, entries = lists
    pair = np.full(int(max(owners.max(initial=-1), rows.max(initial=-1))) + 1, -1, dtype=np.int64)
    pair[rows[wanted]] = np.flatnonzero(wanted)
    found = pair[owners]
    return found[found >= 0], entries[found >= 0]


def _only(these: Change, those: Change) -> Change:
    """What stands in these and not in those, by pair."""
    width = int(max(these[1].max(initial=0), those[1].max(initial=0))) + 1
    found = these[0] * width + these[1]
    found = np.sort(found[~_among(found, those[0] * width + those[1])])
    return found // width, found % width


# --- columns of the cases -------------------------------------------------------------------------


def _texts(numbers: Ints, words: tuple[str, ...] | list[str]) -> pa.Array:
    indices = pa.array(numbers.astype(np.int32), mask=numbers < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(words), pa.string()))


def _either(one: pa.Array, rows: Ints, other: pa.Array, others: Ints) -> pa.Array:
    """Of each pair the text of the one side, or of the other where it is on that side only."""
    both = pa.concat_arrays([one, other])
    return both.take(pa.array(np.where(rows >= 0, rows, others + len(one))))


def _lists(change: Change | None, shown: Ints, coded: Codes) -> pa.Array:
    """Of each pair shown the words of its changes, in the order of the words."""
    pairs, entries = change or (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    ranks = np.argsort(np.argsort(np.array(coded.words, dtype=object))) if len(coded) else entries
    order = np.lexsort((ranks[entries], pairs))
    pairs, entries = pairs[order], entries[order]
    starts = np.append(np.searchsorted(pairs, shown), np.searchsorted(pairs, shown[-1] + 1))
    words = pa.array(coded.words, pa.string()).take(pa.array(entries))
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), words)
