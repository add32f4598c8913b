"""A docket screened in batches: the answer on each case is the one it has alone.

Batches of columns are judged as columns. What is odd in them is judged row by row: facts
read and derived case by case, the circuit run once a batch, and what Kleene's logic leaves
open asked of the diagram once for each pattern of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from eligibility.circuit.model import Verdicts
from eligibility.decision.assess import (
    NO_SUCH_CASE,
    Assessment,
    outcome_names,
    possible_positions,
    refuse_impossible,
)
from eligibility.decision.changes import changes_on
from eligibility.decision.decide import Decider
from eligibility.decision.modes import recommended_mode
from eligibility.decision.program import Program, Reading, overrides_mask
from eligibility.decision.questions import Interview
from eligibility.docket.bulk import Bulk, profiles_of
from eligibility.docket.decoding import Decoded, Decoder, asked_texts
from eligibility.docket.gathering import gather
from eligibility.docket.results import (
    COLUMNS,
    LISTS,
    Entry,
    Row,
    names_of,
    replaced,
    without_silence,
)
from eligibility.engines.docket import Children, DocketEngine
from eligibility.errors import EligibilityError, FactsError, Problem, Text
from eligibility.vocabulary.payload import Case, read_case

PATTERNS_KEPT = 200_000
SHOWN_PROBLEMS = 5
Place = Callable[[int], str] | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch as it was given, without the column of profiles, and as columns.

    ``alone``: its rows as they were read, where the batch does not hold all that they say.
    """

    batch: pa.RecordBatch
    rest: pa.RecordBatch
    decoded: Decoded
    named: pa.Array | None
    profile_column: str | None
    alone: Callable[[list[int]], list[Row]] | None = None


@dataclass(slots=True)
class _Read:
    """A case ready for the circuit."""

    number: int
    case: Case
    assessment: Assessment


class Screening:
    """Screens rows on one day; not to be shared by threads. ``dates``: also the day on which
    time alone changes the outcome (assessments on each day on which something may turn, so
    several times slower). ``ignored``: columns that are no facts and say nothing; without them
    a row that has such a column is rejected.
    """

    def __init__(
        self,
        decider: Decider,
        today: date,
        as_of: date | None,
        profile: str | None,
        dates: bool,
        ignored: Collection[str] = (),
    ) -> None:
        self.decider, self.today, self.as_of = decider, today, as_of
        self.profile, self.dates = profile, dates
        self.ignored = frozenset(ignored)
        self._engines: dict[int, DocketEngine] = {}
        self._positions: dict[Any, tuple[tuple[int, ...], bool]] = {}
        self._bulk = Bulk(decider)
        base = decider.rulebase
        self._decoder = Decoder(base.vocabulary, asked_texts(base))
        self.odd = 0  # rows of batches that were judged alone

    def screen_batch(
        self, batch: pa.RecordBatch, place: Place, profile_column: str | None = None
    ) -> pa.RecordBatch:
        """The results of a batch, of :func:`result_schema`, in order.

        ``place``: of each row in its file, or the name of the file and the number of the
        first row. ``profile_column``: names the profile of each row. Raises
        pyarrow.ArrowException or UnicodeDecodeError where a column is not what it says.
        INVARIANT: the result of each row is that of :meth:`screen`.
        """
        return self.judged(self.decoded(batch, profile_column), place)

    def decoded(self, batch: pa.RecordBatch, profile_column: str | None = None) -> Prepared:
        """The first half of :meth:`screen_batch`, which may run in a thread of its own."""
        passed_over = self.ignored.intersection(batch.schema.names)
        if passed_over:
            batch = batch.drop_columns(sorted(passed_over))
        rest, named = batch, None
        if profile_column is not None and batch.schema.get_all_field_indices(profile_column):
            named = batch.column(profile_column)
            rest = batch.drop_columns([profile_column])
        decoded = self._decoder.decode(rest, self.as_of, self.today)
        return Prepared(batch, rest, decoded, named, profile_column)

    def judged(self, prepared: Prepared, place: Place) -> pa.RecordBatch:
        """The second half."""
        columns = prepared.decoded.columns
        profiles, names = profiles_of(self.decider, columns, prepared.named, self.profile)
        answers, odd = self._bulk.judge(prepared.decoded, profiles, names, self.dates)
        found = answers.batch(prepared.rest, self.decider.rulebase.vocabulary)
        alone = np.flatnonzero(odd)
        if not alone.size:
            return found
        if prepared.alone is not None:
            return replaced(
                found, self.screen_rows(prepared.alone(alone.tolist())).to_pylist(), odd
            )
        self.odd += alone.size
        taken = prepared.batch.take(pa.array(alone))
        rows = self._rows(taken, alone.tolist(), place, prepared.profile_column)
        return replaced(found, list(self.screen(rows)), odd)

    def screen_rows(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """The results of rows of any source: read one by one, judged as columns.

        INVARIANT: the result of each row is that of :meth:`screen`.
        """
        vocabulary = self.decider.rulebase.vocabulary
        cases = [self._case(row) for row in rows]
        read = [Case() if case is None else case for case in cases]
        scopes = vocabulary.payload_scopes()[1:]
        for case in read:
            for scope in scopes:
                case.records.setdefault(scope, [])
        columns = gather(read, vocabulary, [case.as_of or self.today for case in read])
        columns.odd |= np.array([case is None for case in cases], dtype=bool)
        flat = {s: np.array([s in case.flat for case in read], dtype=bool) for s in scopes}
        named = pa.array([row.profile for row in rows], pa.string())
        profiles, names = profiles_of(self.decider, columns, named, self.profile)
        answers, odd = self._bulk.judge(Decoded(columns, flat), profiles, names, self.dates)
        texts = {
            key: pa.array([case.facts.get(key) for case in read], pa.string())
            for key in ("case_no", "court_id")
        }
        found = answers.batch(pa.RecordBatch.from_pydict(texts), vocabulary)
        alone = [row for row, is_odd in zip(rows, odd.tolist(), strict=True) if is_odd]
        self.odd += len(alone)
        return replaced(found, list(self.screen(alone)), odd) if alone else found

    def _case(self, row: Row) -> Case | None:
        """The case of a row, None where it cannot be read."""
        if isinstance(row.payload, EligibilityError):
            return None
        vocabulary = self.decider.rulebase.vocabulary
        try:
            payload = self._facts(row.payload)
            case = read_case(payload, vocabulary, self.as_of)
            return case if case.as_of else read_case(payload, vocabulary, self.today)
        except EligibilityError:
            return None

    def _facts(self, payload: Any) -> Any:
        """A row without the columns that are passed over."""
        if not self.ignored or not isinstance(payload, dict):
            return payload
        return {word: value for word, value in payload.items() if word not in self.ignored}

    def _rows(
        self, batch: pa.RecordBatch, numbers: list[int], place: Place, profile_column: str | None
    ) -> list[Row]:
        out = []
        for number, row in zip(numbers, batch.to_pylist(), strict=True):
            payload = without_silence(row)
            named = payload.pop(profile_column, None) if profile_column is not None else None
            at = f"{place[0]}:{place[1] + number}" if isinstance(place, tuple) else place(number)
            out.append(Row(at, payload, str(named) if named else None))
        return out

    def screen(self, rows: Sequence[Row]) -> Iterator[Entry]:
        """The result rows of one batch, in order; a row that cannot be read carries its error."""
        out: list[Entry | None] = [None] * len(rows)
        groups: dict[int, list[_Read]] = {}
        for number, row in enumerate(rows):
            try:
                read = self._read(number, row)
            except EligibilityError as error:
                out[number] = self._rejected(row, error.problems)
                continue
            groups.setdefault(id(read.assessment.program), []).append(read)
        for group in groups.values():
            for read, verdicts in zip(group, self._verdicts(group), strict=True):
                read.assessment.verdicts = verdicts
                try:
                    out[read.number] = self._entry(read)
                except EligibilityError as error:
                    out[read.number] = self._rejected(rows[read.number], error.problems)
        return (entry for entry in out if entry is not None)

    def _read(self, number: int, row: Row) -> _Read:
        if isinstance(row.payload, EligibilityError):
            raise row.payload
        vocabulary = self.decider.rulebase.vocabulary
        payload = self._facts(row.payload)
        case = read_case(payload, vocabulary, self.as_of)
        if case.as_of is None:
            case = read_case(payload, vocabulary, self.today)
        assert case.as_of is not None
        name = row.profile or self.profile or self.decider.profile_of(case)
        program = self.decider.programs.at(name, case.as_of)
        derived = program.derive(case, case.as_of)
        reading = program.read(derived)
        refuse_impossible(program, reading)
        warnings: list[Problem] = []

        def warn(code: str, place: str, text: Text) -> None:
            warnings.append(Problem(code, text, place))

        overridden = overrides_mask(case, program, warn) if case.overrides else 0
        nothing = Verdicts(0, 0, 0, 0, 0)
        found = Assessment(program, case, derived, reading, overridden, nothing, (), True, warnings)
        return _Read(number, case, found)

    def _verdicts(self, group: Sequence[_Read]) -> Iterator[Verdicts]:
        program = group[0].assessment.program
        engine = self._engines.setdefault(id(program), DocketEngine(program.circuit))
        readings = [read.assessment.reading for read in group]
        table = np.array([reading.inputs for reading in readings], dtype=np.uint32)
        rules = len(program.circuit.rules)
        lifted = np.zeros((len(group), rules), dtype=bool)
        for row, read in enumerate(group):
            for rule in range(rules) if read.assessment.overridden else ():
                lifted[row, rule] = read.assessment.overridden >> rule & 1
        found = engine.evaluate(list(table.T), children_of(program, readings), lifted)
        return (found.of(row) for row in range(len(group)))

    def _entry(self, read: _Read) -> Entry:
        found = read.assessment
        found.positions, found.exact = self._possible(found)
        if not found.positions:
            raise FactsError(NO_SUCH_CASE)
        names = found.outcomes
        day = changes_on(found, self.decider.programs) if self.dates else None
        effective = found.verdicts.effective
        unknown: list[str] = []
        if len(names) > 1:
            unknown = sorted(Interview(found, found.question()).paths())
        return {
            "case_no": read.case.facts.get("case_no"),
            "court_id": read.case.facts.get("court_id"),
            "outcome": found.outcome,
            "possible_outcomes": list(names),
            "recommended_mode": recommended_mode(found),
            "effective_rules": [
                rule.id for i, rule in enumerate(found.program.circuit.rules) if effective >> i & 1
            ],
            "unknown_facts": unknown,
            "changes_on": day["date"] if day else None,
            "changes_to": day["outcome"] if day else None,
            "error": None,
        }

    def _rejected(self, row: Row, problems: Sequence[Problem]) -> Entry:
        """The result of a row that cannot be judged: where, under which column, and why."""
        out: Entry = {column: [] if column in LISTS else None for column in COLUMNS}
        vocabulary = self.decider.rulebase.vocabulary
        for key in ("case_no", "court_id"):
            for word in names_of(vocabulary, key) if isinstance(row.payload, dict) else ():
                value = row.payload.get(word)
                out[key] = value if isinstance(value, str) else out[key]
        said = "; ".join(problem.line() for problem in problems[:SHOWN_PROBLEMS])
        return out | {"error": said if said.startswith(row.place) else f"{row.place}: {said}"}

    def _possible(self, found: Assessment) -> tuple[tuple[int, ...], bool]:
        open_ = found.verdicts.outcomes
        kleene = [i for i in range(open_.bit_length()) if open_ >> i & 1]
        if len(outcome_names(found.program, kleene)) == 1:
            return tuple(kleene), True
        key = _pattern(found)
        known = self._positions.get(key)
        if known is None:
            if len(self._positions) >= PATTERNS_KEPT:
                self._positions.clear()
            known = self._positions[key] = possible_positions(
                found.program, found.reading, found.overridden, found.verdicts
            )
        return known


def _pattern(found: Assessment) -> Any:
    """All that the diagram looks at; the order of records makes no difference."""
    records = found.reading.records
    listed = tuple(tuple(sorted(map(tuple, records[scope]))) for scope in sorted(records))
    return id(found.program), tuple(found.reading.inputs), listed, found.overridden


def children_of(program: Program, readings: Sequence[Reading]) -> dict[str, Children]:
    """The records of all cases, kind by kind, flat behind their offsets."""
    out = {}
    for scope in {q.scope for q in program.circuit.quantifiers}:
        held = [reading.records.get(scope, []) for reading in readings]
        offsets = np.concatenate(([0], np.cumsum([len(rows) for rows in held], dtype=np.int64)))
        width = len(program.circuit.record_inputs.get(scope, ()))
        flat = np.array([row for rows in held for row in rows], dtype=np.uint32)
        out[scope] = Children(offsets, list(flat.reshape(int(offsets[-1]), width).T))
    return out
