"""What must be known to settle the open cases of a batch: paths, as ``Interview.paths``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from eligibility.circuit.truth import support
from eligibility.decision.program import Program
from eligibility.decision.questions import SHOWN_RECORDS
from eligibility.docket.columns import UNKNOWN, Bits, Columns, Ints, Records, numbered
from eligibility.docket.open_cases import Asked, OpenCases
from eligibility.engines.diagram import Variable
from eligibility.engines.mdd import TERMINALS
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.reader import inputs_of

Part = tuple[Ints, Ints]  # rows of a batch, and for each the number of a record in its table


@dataclass(slots=True)
class Lists:
    """A list of words for each of some rows: ``words[codes[i]]`` stands in ``rows[i]``.

    Sorted by row, within a row by word, each once.
    """

    rows: Ints
    codes: Ints
    words: list[str]


class Missing:
    """Finds the paths. ``flat``: for each kind the cases whose only record stands flat."""

    def __init__(self, open_cases: OpenCases) -> None:
        self.open_cases = open_cases
        self._codes: dict[str, int] = {}
        self._inputs: dict[str, list[Fact]] = {}
        self._number: dict[Variable, int] = {}
        self._variable: list[Variable] = []
        self._of_diagram: dict[int, list[int]] = {}

    def paths(self, asked: Asked, columns: Columns, flat: Mapping[str, Bits], of: Ints) -> Lists:
        """The paths for the cases at ``of`` among those asked about."""
        if len(self._codes) > 100_000:
            self._codes.clear()
        rows, codes = [], []
        for variable, places in self._variables(asked, of):
            for fact, part in _facts(asked, columns, variable, places):
                for source, found in self._first_unknown(asked.program, columns, fact, part):
                    rows.append(found[0])
                    codes.append(self._path(asked.program, columns, flat, source, found))
        return self._sorted(rows, codes)

    def _variables(self, asked: Asked, of: Ints) -> Iterator[tuple[Variable, Ints]]:
        """Each variable that still matters, with the cases in which it does."""
        numbers, which = numbered(asked.remainders[of])
        held: dict[int, list[int]] = {}
        kinds, of_kind = numbered(asked.diagrams[of] * len(numbers) + which)
        for kind, pair in enumerate(kinds.tolist()):
            diagram, number = divmod(pair, len(numbers))
            if numbers[number] < TERMINALS:
                continue
            places = self._places(diagram)
            for place in self.open_cases.remainder(int(numbers[number])).support:
                held.setdefault(places[place], []).append(kind)
        order = np.argsort(of_kind, kind="stable")
        ends = np.cumsum(np.bincount(of_kind, minlength=len(kinds)))
        begins = np.concatenate(([0], ends))
        for variable, listed in held.items():
            first = begins[np.array(listed)]
            counts = ends[np.array(listed)] - first
            shift = np.repeat(first - (np.cumsum(counts) - counts), counts)
            yield self._variable[variable], of[order[np.arange(len(shift)) + shift]]

    def _places(self, diagram: int) -> list[int]:
        """The number of the variable at each place of a diagram."""
        found = self._of_diagram.get(diagram)
        if found is None:
            # A closed variable asks the same.
            plain = [
                Variable(made.scope, made.index, made.input)
                for made in self.open_cases.residuals.built[diagram].variables
            ]
            found = [self._number.setdefault(one, len(self._number)) for one in plain]
            self._variable, self._of_diagram[diagram] = list(self._number), found
        return found

    def _first_unknown(
        self, program: Program, columns: Columns, fact: Fact, part: Part
    ) -> Iterator[tuple[Fact, Part]]:
        """A derived fact is asked for through its first unknown input."""
        rows, records = part
        for source in self._sources(program, fact):
            if not rows.size:
                return
            if source.scope not in (CASE, fact.scope):
                continue
            silent = _silent(columns, source, (rows, records))
            if silent.any():
                below = (rows[silent], records[silent])
                yield from self._first_unknown(program, columns, source, below)
                rows, records = rows[~silent], records[~silent]
        if rows.size:
            yield fact, (rows, records)

    def _sources(self, program: Program, fact: Fact) -> list[Fact]:
        found = self._inputs.get(fact.key)
        if found is None:
            vocabulary = program.lowered.rulebase.vocabulary
            named = (vocabulary.facts.get(name) for name in inputs_of(fact, vocabulary))
            found = self._inputs[fact.key] = [
                f for f in named if f is not None and f.presume is None and f.type != Type.RECORDS
            ]
        return found

    def _path(
        self,
        program: Program,
        columns: Columns,
        flat: Mapping[str, Bits],
        fact: Fact,
        part: Part,
    ) -> Ints:
        rows, records = part
        plain = self._code(fact.key)
        if fact.scope == CASE:
            return np.full(len(rows), plain)
        table = columns.records[fact.scope]
        index = records - table.offsets[rows]
        name = program.lowered.rulebase.vocabulary.records[fact.scope].list_key
        distinct, which = numbered(index)
        named = np.array([self._code(f"{name}[{i}].{fact.key}") for i in distinct.tolist()])
        out: Ints = np.where(flat[fact.scope][rows], plain, named[which])
        return out

    def _code(self, path: str) -> int:
        return self._codes.setdefault(path, len(self._codes))

    def _sorted(self, rows: list[Ints], codes: list[Ints]) -> Lists:
        words = sorted(self._codes)
        if not rows:
            return Lists(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), words)
        rank = np.zeros(len(words), dtype=np.int64)
        rank[[self._codes[word] for word in words]] = np.arange(len(words))
        keys = np.unique(np.concatenate(rows) * len(words) + rank[np.concatenate(codes)])
        return Lists(keys // len(words), keys % len(words), words)


def _facts(
    asked: Asked, columns: Columns, variable: Variable, places: Ints
) -> Iterator[tuple[Fact, Part]]:
    """The facts that a variable stands for, with the cases and records of each."""
    rows = asked.rows[places]
    if variable.scope == "quantifier":
        yield from _of_many(asked, columns, variable.input, rows)
        return
    records = np.zeros(len(places), dtype=np.int64)
    if variable.scope != CASE:
        records = asked.expanded[variable.scope].records[places, variable.index]
    yield _fact(asked.program, variable), (rows, records)


def _of_many(
    asked: Asked, columns: Columns, quantifier: int, rows: Ints
) -> Iterator[tuple[Fact, Part]]:
    """Where records are too many to stand in the diagram, all that is unknown of the first of
    them that leave the condition open, as ``Interview`` asks.
    """
    program, evaluation = asked.program, asked.evaluation
    made = program.circuit.quantifiers[quantifier]
    certain, possible = evaluation.truth(made.body, made.scope)
    open_ = possible & ~certain
    offsets = evaluation.children[made.scope].offsets
    names = support(program.circuit, made.body, made.scope)
    vocabulary = program.lowered.rulebase.vocabulary
    near = [f for f in map(vocabulary.facts.__getitem__, names) if f.scope in (CASE, made.scope)]
    held = offsets[rows + 1] - offsets[rows]
    for index in range(min(SHOWN_RECORDS, int(held.max(initial=0)))):
        longer = rows[held > index]
        records = offsets[longer] + index
        chosen = open_[records]
        part = longer[chosen], records[chosen]
        for fact in near:
            silent = _silent(columns, fact, part)
            yield fact, (part[0][silent], part[1][silent])


def _fact(program: Program, variable: Variable) -> Fact:
    lowered = program.lowered
    if variable.scope == CASE:
        regions = lowered.regions[variable.input]
        assert regions is not None
        return regions.fact
    return lowered.record_regions[variable.scope][variable.input].fact


def _silent(columns: Columns, fact: Fact, part: Part) -> Bits:
    """Where nothing is known of a fact."""
    table = columns.case if fact.scope == CASE else columns.records[fact.scope]
    column = table.facts.get(fact.key)
    at = part[1] if isinstance(table, Records) else part[0]
    if column is None:
        return np.ones(len(at), dtype=bool)
    out: Bits = column.state[at] == UNKNOWN
    return out
