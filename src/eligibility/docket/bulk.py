"""A batch of a docket judged as columns; what is odd in it is left to be judged alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from eligibility.circuit.model import Verdicts
from eligibility.decision.assess import NEED_INFO, Assessment, outcome_names
from eligibility.decision.decide import DEFAULT_PROFILE, Decider
from eligibility.decision.derive import Derived
from eligibility.decision.modes import recommended_mode, recommending_rules
from eligibility.decision.program import Program, Reading
from eligibility.docket.answers import (
    Listed,
    Words,
    as_type,
    distinct,
    packed,
    positions,
    spread,
    text_of,
    whole,
)
from eligibility.docket.changing import Changing
from eligibility.docket.columns import KNOWN, Bits, Columns, Ints, examples, numbered
from eligibility.docket.decoding import Decoded
from eligibility.docket.deriving import Batch
from eligibility.docket.feeding import Feed
from eligibility.docket.gathering import copied, narrowed, take
from eligibility.docket.missing import Missing
from eligibility.docket.open_cases import Asked, OpenCases
from eligibility.docket.results import names_of, result_schema
from eligibility.engines.docket import BatchVerdicts, Evaluation
from eligibility.errors import EligibilityError
from eligibility.vocabulary.model import Vocabulary
from eligibility.vocabulary.payload import Case

ANSWERS_KEPT = 200_000


@dataclass(slots=True)
class Group:
    """The rows of a batch that one program judges."""

    program: Program
    rows: Ints
    columns: Columns
    flat: Mapping[str, Bits]
    evaluation: Evaluation
    verdicts: BatchVerdicts
    derived: Batch
    given: Columns | None  # before its facts were derived, where that is asked for


@dataclass(slots=True)
class Answers:
    """The columns of a result that do not come from the docket itself."""

    outcome: Words
    possible: Listed
    mode: Words
    rules: Listed
    unknown: Listed
    changes_on: Words
    changes_to: Words

    @classmethod
    def of(cls, rows: int) -> Answers:
        lists = [Listed(rows) for _ in range(3)]
        words = [Words(rows) for _ in range(4)]
        return cls(words[0], lists[0], words[1], lists[1], lists[2], words[2], words[3])

    def batch(self, docket: pa.RecordBatch, vocabulary: Vocabulary) -> pa.RecordBatch:
        """The result, with what the docket says of numbers and courts."""
        schema, rows = result_schema(), docket.num_rows
        made = {
            "case_no": text_of(docket, names_of(vocabulary, "case_no")),
            "court_id": text_of(docket, names_of(vocabulary, "court_id")),
            "outcome": self.outcome.array(),
            "possible_outcomes": self.possible.array(),
            "recommended_mode": self.mode.array(),
            "effective_rules": self.rules.array(),
            "unknown_facts": self.unknown.array(),
            "changes_on": self.changes_on.array(),
            "changes_to": self.changes_to.array(),
        }
        columns = [
            pa.nulls(rows, field.type)
            if field.name not in made
            else as_type(made[field.name], field.type)
            for field in schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)


class Bulk:
    """Judges batches of columns by the programs of one rule base; keeps what recurs."""

    def __init__(self, decider: Decider) -> None:
        self.decider = decider
        self.open_cases = OpenCases()
        self.missing = Missing(self.open_cases)
        self.changing = Changing(decider.programs, self._feed, self.open_cases)
        self._feeds: dict[int, Feed] = {}
        self._names: dict[tuple[int, int], tuple[str, ...]] = {}
        self._left: dict[tuple[int, frozenset[int]], tuple[str, ...]] = {}
        self._modes: dict[tuple[int, int, int], str | None] = {}

    def judge(
        self, decoded: Decoded, profiles: Ints, names: list[str], dates: bool
    ) -> tuple[Answers, Bits]:
        """The answers on a batch, and the rows whose answer is not among them.

        ``profiles``: for each row the number of its profile among ``names``. ``dates``: also
        when time alone changes the outcome.
        """
        for kept in (self._names, self._left, self._modes):
            if len(kept) > ANSWERS_KEPT:
                kept.clear()
        columns = decoded.columns
        odd = columns.odd.copy()
        answers = Answers.of(columns.rows)
        groups, asked = [], []
        for program, rows in self._programs(columns, profiles, names, odd):
            group = self._group(program, rows, decoded, dates)
            groups.append(group)
            asked.append(self._outcomes(group, answers))
        self.open_cases.answer(asked)
        for group, questions in zip(groups, asked, strict=True):
            self._open(group, questions, answers)
            self._rules(group, answers)
        for group in groups:  # asks the diagrams again, so after what they said was read
            if group.given is not None:
                self._changes(group, group.given, answers)
            odd[group.rows] |= group.columns.odd
        return answers, odd

    # --- programs ----------------------------------------------------------------------------

    def _programs(
        self, columns: Columns, profiles: Ints, names: list[str], odd: Bits
    ) -> Iterator[tuple[Program, Ints]]:
        """The programs of a batch with their rows; rows of no program are marked odd."""
        programs = self.decider.programs
        first = int(columns.as_of.min()) if columns.rows else 0
        days, of_day = numbered(columns.as_of - first)
        days = days + first
        stretches = [programs.law.stretch(date.fromordinal(int(day))) for day in days]
        code = profiles * (max(stretches, default=0) + 1) + np.array(stretches, np.int64)[of_day]
        plain = np.flatnonzero(~odd)
        found, which = numbered(code[plain])
        for number in range(len(found)):
            rows = plain[which == number]
            example = rows[0]
            day = date.fromordinal(int(columns.as_of[example]))
            try:
                program = programs.at(names[profiles[example]], day)
            except EligibilityError:
                odd[rows] = True
                continue
            yield program, rows

    def _feed(self, program: Program) -> Feed:
        feed = self._feeds.get(id(program))
        if feed is None:
            feed = self._feeds[id(program)] = Feed(program)
        return feed

    def _group(self, program: Program, rows: Ints, decoded: Decoded, dates: bool) -> Group:
        feed = self._feed(program)
        # On another day the rules of another law may ask about other facts.
        columns = copied(decoded.columns) if dates else narrowed(decoded.columns, feed.needed)
        flat = decoded.flat
        if len(rows) < columns.rows:
            columns = take(columns, rows)
            flat = {scope: bits[rows] for scope, bits in flat.items()}
        given = copied(columns) if dates else None
        derived, evaluation = feed.read(columns)
        columns.odd |= feed.impossible(evaluation)
        verdicts = evaluation.verdicts()
        return Group(program, rows, columns, flat, evaluation, verdicts, derived, given)

    def _changes(self, group: Group, given: Columns, answers: Answers) -> None:
        found = self.changing.changes(
            group.program, given, group.derived, group.evaluation, group.verdicts
        )
        rows = group.rows[found.rows]
        answers.changes_on.put(rows, *found.days)
        answers.changes_to.put(rows, *found.outcomes)
        group.columns.odd |= found.alone

    # --- outcomes ----------------------------------------------------------------------------

    def _outcomes(self, group: Group, answers: Answers) -> Asked:
        """What Kleene's logic finds; the cases that it leaves open are asked about."""
        masks, _, which = distinct(packed(group.verdicts.outcomes.T))
        found = [self._outcome_names(group.program, mask) for mask in masks]
        single = np.array([len(names) == 1 for names in found], dtype=bool)[which]
        settled = np.flatnonzero(single)
        self._say(answers, group.rows[settled], found, which[settled])
        left = np.flatnonzero(~single & ~group.columns.odd)
        return self.open_cases.question(group.program, group.evaluation, left)

    def _outcome_names(self, program: Program, mask: int) -> tuple[str, ...]:
        key = (id(program), mask)
        found = self._names.get(key)
        if found is None:
            held = [i for i in range(mask.bit_length()) if mask >> i & 1]
            found = self._names[key] = outcome_names(program, held)
        return found

    def _left_names(self, program: Program, outcomes: frozenset[int]) -> tuple[str, ...]:
        key = (id(program), outcomes)
        found = self._left.get(key)
        if found is None:
            found = self._left[key] = outcome_names(program, outcomes)
        return found

    def _say(self, answers: Answers, rows: Ints, found: list[tuple[str, ...]], which: Ints) -> None:
        outcomes: list[str | None] = [n[0] if len(n) == 1 else NEED_INFO for n in found]
        answers.outcome.put(rows, outcomes, which)
        words = list(dict.fromkeys(name for names in found for name in names))
        place = {word: i for i, word in enumerate(words)}
        at, codes = spread([[place[name] for name in names] for names in found], which)
        answers.possible.put(rows[at], words, codes)

    def _open(self, group: Group, asked: Asked, answers: Answers) -> None:
        """What the diagrams leave of the open cases, and what must be known to settle them."""
        if not len(asked.rows):
            return
        numbers, which = numbered(asked.remainders)
        kinds: dict[tuple[str, ...], int] = {}
        kind_of = [
            kinds.setdefault(
                self._left_names(group.program, self.open_cases.remainder(number).outcomes),
                len(kinds),
            )
            for number in numbers.tolist()
        ]
        found = list(kinds)
        which = np.array(kind_of, dtype=np.int64)[which]
        sizes = np.array([len(names) for names in found])[which]
        group.columns.odd[asked.rows[sizes == 0]] = True
        self._say(answers, group.rows[asked.rows], found, which)
        lists = self.missing.paths(asked, group.columns, group.flat, np.flatnonzero(sizes > 1))
        answers.unknown.put(group.rows[lists.rows], lists.words, lists.codes)

    # --- rules and modes -----------------------------------------------------------------------

    def _rules(self, group: Group, answers: Answers) -> None:
        program, effective = group.program, group.verdicts.effective.T
        names = [rule.id for rule in program.circuit.rules]
        words = packed(effective)
        rows, codes = positions(words)
        answers.rules.put(group.rows[rows], names, codes)
        nodes = [group.evaluation.truth(node)[0] for node in program.lowered.mode_nodes.values()]
        insufficient = np.zeros(len(group.rows), dtype=np.int64)
        for number, bits in enumerate(nodes):
            insufficient |= bits.astype(np.int64) << number
        bearing = recommending_rules(program)
        masks, _, which = distinct(words & np.array(whole(bearing, words.shape[1])))
        keys, which = numbered(which * (1 << len(nodes)) + insufficient)
        first = examples(which, len(keys))
        found = [
            self._mode(group, masks[int(key) >> len(nodes)], int(insufficient[row]), row)
            for key, row in zip(keys, first.tolist(), strict=True)
        ]
        answers.mode.put(group.rows, found, which)

    def _mode(self, group: Group, effective: int, insufficient: int, row: int) -> str | None:
        """The recommended mode: a function of the effective rules and of the modes' own
        conditions, so one case speaks for all that share them.
        """
        key = (id(group.program), effective, insufficient)
        if key not in self._modes:
            inputs = [int(column[row]) for column in group.evaluation.inputs]
            found = _assessment(group.program, inputs, effective)
            self._modes[key] = recommended_mode(found)
        return self._modes[key]


def _assessment(program: Program, inputs: list[int], effective: int) -> Assessment:
    nothing: Any = None
    derived: Derived = nothing
    verdicts = Verdicts(effective, effective, effective, effective, 0)
    reading = Reading(inputs, {})
    return Assessment(program, Case(), derived, reading, 0, verdicts, (), True, [])


def profiles_of(
    decider: Decider, columns: Columns, named: pa.Array | None, profile: str | None
) -> tuple[Ints, list[str]]:
    """The profile of each row, as its number among names.

    ``named``: what the row says itself, then ``profile``, then that of the case.
    """
    names: dict[str, int] = {}
    out = np.full(columns.rows, -1, dtype=np.int64)

    def settle(values: Ints, known: Bits, words: list[str]) -> None:
        table = [names.setdefault(word, len(names)) if word else -1 for word in words]
        rows = np.flatnonzero(known & (out < 0))
        if rows.size:
            out[rows] = np.array(table, dtype=np.int64)[values[rows]]

    if named is not None:
        listed = named.dictionary_encode() if not pa.types.is_dictionary(named.type) else named
        words = [str(word) if word else "" for word in listed.dictionary.to_pylist()]
        codes = listed.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        settle(codes, np.asarray(named.is_valid()), words)
    if profile:
        settle(np.zeros_like(out), out < 0, [profile])
    stated = columns.case.facts.get("jurisdiction_profile")
    if stated is not None:
        settle(stated.values, stated.state == KNOWN, [str(word) for word in stated.words])
    court = columns.case.facts.get("court_id")
    if court is not None:
        held = [decider.register.find(word) for word in court.words]
        settle(court.values, court.state == KNOWN, [c.profile if c else "" for c in held])
    settle(np.zeros_like(out), out < 0, [DEFAULT_PROFILE])
    return out, list(names)
