"""A result counted: outcomes by court, rules by outcome and by court, rejects by code.

Memory grows with the courts and rules of the rule base, never with the rows: what a docket
names as its court and the register does not know is one heading.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.courts.register import Register
from eligibility.docket.result_file import REJECTED, Codes, Ints, listed, outcomes_of

NO_COURT = ""  # the docket names none
OTHER_COURT = "*"  # what it names is not in the register
SHOWN_ERRORS = 20
MOST_WORDS = 10_000  # different outcomes, rules or facts that a result may name
_INDEX = re.compile(r"\[\d+\]")
# The code of the first problem: a word before a sentence. A path before it is no sentence.
_CODE = r"(?:^|: )(?P<code>[a-z]+(?:_[a-z]+)*): [^\x00-\x40\x5c-\x7f]"
Entry = dict[str, Any]


class Grid:
    """Counts of pairs of numbers; grows as they do."""

    def __init__(self) -> None:
        self.counts: Ints = np.zeros((0, 0), dtype=np.int64)

    def add(self, rows: Ints, columns: Ints) -> None:
        """Counts each pair; no number is negative."""
        if not len(rows):
            return
        height = max(self.counts.shape[0], int(rows.max()) + 1)
        width = max(self.counts.shape[1], int(columns.max()) + 1)
        found = np.bincount(rows * width + columns, minlength=height * width)
        counts = found.reshape(height, width)
        counts[: self.counts.shape[0], : self.counts.shape[1]] += self.counts
        self.counts = counts

    def named(self, rows: Codes, columns: Codes) -> dict[str, dict[str, int]]:
        """The counts that are not zero, by their words, in the order of the words."""
        out: dict[str, dict[str, int]] = {}
        for row, column in np.argwhere(self.counts).tolist():
            here = out.setdefault(rows.words[row], {})
            here[columns.words[column]] = int(self.counts[row, column])
        return {row: out[row] for row in sorted(out)}


class CourtCodes(Codes):
    """Courts by the id of the register, whatever name a docket gives them."""

    def __init__(self, register: Register) -> None:
        super().__init__([NO_COURT, OTHER_COURT])
        self._register = register

    def number(self, word: str) -> int:
        found = self._register.find(word)
        return super().number(found.id if found else OTHER_COURT)

    def of(self, column: pa.Array) -> Ints:
        found = super().of(column)
        return np.where(found < 0, 0, found)


class Breakdown:
    """Counts a result as its batches pass by."""

    def __init__(self, register: Register) -> None:
        self.rows = 0
        self.outcomes, self.rules, self.facts, self.codes = Codes(), Codes(), Codes(), Codes()
        self.courts = CourtCodes(register)
        self.by_court, self.rule_outcomes, self.rule_courts = Grid(), Grid(), Grid()
        self.open_facts: Ints = np.zeros(0, dtype=np.int64)
        self.rejects: Ints = np.zeros(0, dtype=np.int64)
        self.errors: list[str] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        outcomes, courts = outcomes_of(batch, self.outcomes), self.courts.of(batch["court_id"])
        self.by_court.add(courts, outcomes)
        rows, rules = listed(batch, "effective_rules", self.rules)
        self.rule_outcomes.add(rules, outcomes[rows])
        self.rule_courts.add(rules, courts[rows])
        self._add_facts(batch)
        self._add_errors(batch)

    def _add_facts(self, batch: pa.RecordBatch) -> None:
        """Each fact once a case, however many records lack it."""
        rows, paths = listed(batch, "unknown_facts", paths_of := Codes())
        keys = np.array([self.facts.number(key_of(p)) for p in paths_of.words], dtype=np.int64)
        if not len(rows):
            return
        pairs = np.sort(rows * len(self.facts) + keys[paths])
        once = pairs[np.append(True, pairs[1:] != pairs[:-1])]
        self.open_facts = _added(self.open_facts, once % len(self.facts))

    def _add_errors(self, batch: pa.RecordBatch) -> None:
        errors = batch["error"].drop_null()
        if not len(errors):
            return
        self.errors += errors[: SHOWN_ERRORS - len(self.errors)].to_pylist()
        codes = pc.extract_regex(errors, _CODE).field("code").fill_null("?")
        self.rejects = _added(self.rejects, self.codes.of(codes))

    # --- what was counted ----------------------------------------------------------------------

    def as_dict(self) -> Entry:
        """``outcomes``, ``courts`` (by court and outcome), ``rules`` (``by_outcome``,
        ``by_court``), ``unknown_facts``, ``rejected``; only what is there."""
        courts = self.by_court.named(self.courts, self.outcomes)
        totals: dict[str, int] = {}
        for found in courts.values():
            for outcome, count in found.items():
                totals[outcome] = totals.get(outcome, 0) + count
        by_outcome = self.rule_outcomes.named(self.rules, self.outcomes)
        by_court = self.rule_courts.named(self.rules, self.courts)
        return {
            "rows": self.rows,
            "outcomes": totals,
            "courts": courts,
            "rules": {
                rule: {
                    "cases": sum(found.values()),
                    "by_outcome": found,
                    "by_court": by_court[rule],
                }
                for rule, found in by_outcome.items()
            },
            "unknown_facts": _counted(self.facts, self.open_facts),
            "rejected": {
                "count": totals.get(REJECTED, 0),
                "by_code": _counted(self.codes, self.rejects),
                "first": self.errors,
            },
        }


def key_of(path: str) -> str:
    """The fact at the end of a path, whatever record holds it: ``debtors[0].x`` is ``x``."""
    return _INDEX.sub("", path).rsplit(".", 1)[-1]


def _added(counts: Ints, found: Ints) -> Ints:
    new: Ints = np.bincount(found, minlength=len(counts)).astype(np.int64)
    new[: len(counts)] += counts
    return new


def _counted(words: Codes, counts: Ints) -> dict[str, int]:
    """The most frequent first."""
    found = [(-int(n), word) for word, n in zip(words.words, counts, strict=False) if n]
    return {word: -n for n, word in sorted(found)}
