"""Rete as a second opinion: a circuit run by ``durable_rules``, inside a cage.

The engine infers over *literals* only: "this input lies in these regions". A record
lists those that are possible, a second one those that are certain; a rule that fires on
both is true, on the first only unknown, on neither false. That is exact because every
condition is positive: negation is pushed down to the literals, where it is the literal
of the other regions. Defeat and outcomes are rulesets of their own over what is effective.
Nothing but the meaning of a literal is shared with the native engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import NamedTuple, Self

from eligibility.circuit.model import Circuit, Node, Op, Verdicts
from eligibility.engines.durable_cage import HEAD, Cage, Library, failed, load, token_names
from eligibility.engines.durable_rulesets import FALSE, PENDING, TRUE, Plan, Shard, Terms, plan
from eligibility.errors import EngineError

_REMEMBERED = 4096
_TIGHTER = (PENDING, PENDING // 2, PENDING // 4)


class _Closing(IntEnum):
    """How a literal reads a value not fully known."""

    NONE = 0
    CERTAINLY = 1
    POSSIBLY = 2


class _Literal(NamedTuple):
    """True when the value of ``input`` lies in ``mask``."""

    input: int
    mask: int
    closing: _Closing

    def negated(self, unknown: int) -> _Literal:
        swapped = {_Closing.CERTAINLY: _Closing.POSSIBLY, _Closing.POSSIBLY: _Closing.CERTAINLY}
        return _Literal(
            self.input, unknown & ~self.mask, swapped.get(self.closing, _Closing.NONE)
        )


class _Lowering:
    """The nodes of a circuit as positive terms over literals."""

    def __init__(self, circuit: Circuit) -> None:
        self._nodes = circuit.nodes
        self._inputs = circuit.inputs
        self._tokens: dict[_Literal, int] = {}
        self.terms = Terms()

    @property
    def literals(self) -> list[_Literal]:
        """The literals met, token by token."""
        return list(self._tokens)

    def lower(self, roots: Sequence[int]) -> list[int]:
        """The term of each root, computed without recursion: circuits may be deep."""
        wanted = self._wanted(roots)
        found: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for number, signs in enumerate(wanted):
            for sign in (0, 1):
                if signs >> sign & 1:
                    found[sign][number] = self._term(self._nodes[number], sign, found)
        return [found[0][root] for root in roots]

    def _wanted(self, roots: Sequence[int]) -> list[int]:
        """Which nodes are needed, as they are (1) and negated (2)."""
        wanted = [0] * len(self._nodes)
        for root in roots:
            wanted[root] |= 1
        for number in reversed(range(len(wanted))):
            signs, node = wanted[number], self._nodes[number]
            if node.op is Op.NOT:
                signs = signs >> 1 | (signs & 1) << 1
            if node.op in (Op.NOT, Op.AND, Op.OR):
                for operand in node.operands:
                    wanted[operand] |= signs
        return wanted

    def _term(self, node: Node, sign: int, found: tuple[dict[int, int], dict[int, int]]) -> int:
        match node.op:
            case Op.TRUE | Op.FALSE:
                return TRUE if (node.op is Op.TRUE) == (sign == 0) else FALSE
            case Op.NOT:
                return found[1 - sign][node.operands[0]]
            case Op.AND | Op.OR:
                join = self.terms.all_of if (node.op is Op.AND) == (sign == 0) else self.terms.any_of
                return join(found[sign][operand] for operand in node.operands)
            case _:
                return self._literal(node, sign)

    def _literal(self, node: Node, sign: int) -> int:
        closing = {Op.CERTAINLY: _Closing.CERTAINLY, Op.POSSIBLY: _Closing.POSSIBLY}.get(
            node.op, _Closing.NONE
        )
        negations = 0
        while node.op is not Op.LEAF:
            negations += node.op is Op.NOT
            node = self._nodes[node.operands[0]]
        unknown = self._inputs[node.input].unknown
        mask = node.mask & unknown
        literal = _Literal(node.input, unknown & ~mask if negations % 2 else mask, closing)
        if sign:
            literal = literal.negated(unknown)
        if literal.mask == 0:
            return FALSE
        if literal.mask == unknown:
            return TRUE
        return self.terms.token(self._tokens.setdefault(literal, len(self._tokens)))


class _Fragments(dict[int, str]):
    """For one input, the piece of the record that each of its values brings."""

    def __init__(self, unknown: int, literals: Sequence[tuple[str, int, bool]]) -> None:
        super().__init__()
        self._unknown = unknown
        self._literals = literals

    def __missing__(self, value: int) -> str:
        if not 0 < value <= self._unknown:
            raise failed(f"{value} is not a set of regions")
        text = "".join(
            fragment
            for fragment, mask, any_region in self._literals
            if (value & mask if any_region else not value & ~mask)
        )
        if len(self) < _REMEMBERED:
            self[value] = text
        return text


def _fragments(names: Mapping[int, str], shard: Shard) -> dict[int, str]:
    """What a record holds where a token of the shard is true."""
    return {token: f',"{names[token]}":1' for token in shard.tokens}


class _LiteralRuleset:
    """A ruleset over the literals of the inputs."""

    def __init__(
        self, circuit: Circuit, literals: Sequence[_Literal], cage: Cage, pieces: dict[int, str]
    ) -> None:
        self.cage = cage
        by_input: dict[int, list[tuple[str, _Literal]]] = {}
        for token, piece in pieces.items():
            if token >= 0:
                by_input.setdefault(literals[token].input, []).append((piece, literals[token]))
        self.possible: list[tuple[int, _Fragments]] = []
        self.certain: list[tuple[int, _Fragments]] = []
        for number, found in sorted(by_input.items()):
            unknown = circuit.inputs[number].unknown
            may = [(p, x.mask, x.closing is not _Closing.CERTAINLY) for p, x in found]
            must = [(p, x.mask, x.closing is _Closing.POSSIBLY) for p, x in found]
            self.possible.append((number, _Fragments(unknown, may)))
            self.certain.append((number, _Fragments(unknown, must)))

    def fire(
        self, inputs: Sequence[int], earlier: Callable[[int], str], may: int, must: int
    ) -> tuple[int, int]:
        """What fires on the possible and on the certain literals.

        ``may`` and ``must`` are what earlier rulesets found.
        """
        possible = "".join([table[inputs[i]] for i, table in self.possible]) + earlier(may)
        certain = "".join([table[inputs[i]] for i, table in self.certain]) + earlier(must)
        fired = self.cage.fire(f"{HEAD}{possible}}}")
        if certain == possible:
            return fired, fired
        sure = self.cage.fire(f"{HEAD}{certain}}}")
        if sure & ~fired:
            raise failed("a rule fired on the certain facts but not on the possible ones")
        return fired, sure


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


class _MaskStage:
    """Rulesets over a mask of rules: each output fires when any rule of its mask is there."""

    def __init__(
        self, library: Library, cages: list[Cage], outputs: Sequence[tuple[int, int]], pending: int
    ) -> None:
        terms = Terms()
        wanted = [
            (bits, terms.any_of(terms.token(i) for i in _bits(mask)))
            for bits, mask in outputs
            if mask
        ]
        shards = plan(terms, wanted, pending).shards
        self._rulesets: list[tuple[Cage, dict[int, str]]] = []
        names = token_names(max((mask.bit_length() for _, mask in outputs), default=0))
        for shard in shards:
            cage = Cage(library, shard, dict(enumerate(names)))
            cages.append(cage)
            self._rulesets.append((cage, _fragments(dict(enumerate(names)), shard)))
            _smoke(cage, shard, self._rulesets[-1][1])
        self._records: dict[int, list[str]] = {}

    def fire(self, mask: int, until: int = 0) -> int:
        """The bits fired by a mask of rules; reading ends at the first one in ``until``."""
        fired = 0
        records = self._records.get(mask) or self._record(mask)
        for (cage, _), record in zip(self._rulesets, records, strict=True):
            # A record without a token can match nothing.
            if record:
                fired |= cage.fire(record, until)
                if fired & until:
                    break
        return fired

    def _record(self, mask: int) -> list[str]:
        records = []
        for _, pieces in self._rulesets:
            text = "".join([piece for token, piece in pieces.items() if mask >> token & 1])
            records.append(f"{HEAD}{text}}}" if text else "")
        if len(self._records) < _REMEMBERED:
            self._records[mask] = records
        return records


def _smoke(cage: Cage, shard: Shard, pieces: dict[int, str]) -> None:
    """Fires everything at once: where that passes, no record asks more of the engine."""
    if cage.fire(f"{HEAD}{''.join(pieces.values())}}}") != shard.bits:
        raise failed("not every rule fires where every literal holds")


class DurableEngine:
    """Evaluates a circuit with ``durable_rules``.

    Threads take turns: the library holds the GIL anyway. Close the engine when it is
    replaced, or its memory is never given back.
    INVARIANT: equal to Kleene evaluation of the circuit on every input.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._library = load()
        self._circuit = circuit
        self._lock = threading.Lock()
        self._closed = False
        self._cages: list[Cage] = []
        self._check()
        for pending in _TIGHTER:
            try:
                self._build(pending)
                return
            except BaseException as error:
                self._free()
                if pending == _TIGHTER[-1] or not isinstance(error, EngineError):
                    raise failed(str(error)) if isinstance(error, Exception) else error from error

    def evaluate(self, inputs: Sequence[int], overridden: int = 0) -> Verdicts:
        if len(inputs) != len(self._circuit.inputs):
            raise failed(f"{len(inputs)} inputs, not {len(self._circuit.inputs)}")
        with self._lock:
            if self._closed:
                raise failed("it was closed")
            may, must = self._verdicts(inputs)
            effective, maybe = self._effective(may, must, ~overridden)
            outcomes = self._outcome(effective, maybe)
        return Verdicts(must & self._all, may & self._all, effective, maybe, outcomes)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _free(self) -> None:
        cages, self._cages = self._cages, []
        for cage in cages:
            cage.close()

    def _check(self) -> None:
        lower = 0
        for members in self._circuit.strata():
            if any(self._circuit.rules[i].defeaters & ~lower for i in members):
                raise failed("a rule is defeated from its own stratum or a higher one")
            lower |= sum(1 << i for i in members)

    def _build(self, pending: int) -> None:
        rules = self._circuit.rules
        self._all = (1 << len(rules)) - 1
        lowering = _Lowering(self._circuit)
        roots = [r.verdict for r in rules] + [r.channel for r in rules]
        by_term: dict[int, int] = {}
        for bit, term in enumerate(lowering.lower(roots)):
            by_term[term] = by_term.get(term, 0) | 1 << bit
        self._constant = by_term.pop(TRUE, 0)
        by_term.pop(FALSE, 0)
        # The room of the roots is kept free, so that no other bit is taken for one of them.
        room = 1 << 2 * len(rules)
        outputs = [(bits, term) for term, bits in by_term.items()]
        self._build_verdicts(lowering, plan(lowering.terms, outputs, pending, room.bit_length()))
        self._build_defeat(pending)
        always = [i for i, o in enumerate(self._circuit.outcomes) if o.rules == -1]
        self._always = 1 << always[0] if always else 0
        outcomes = self._circuit.outcomes[: always[0]] if always else self._circuit.outcomes
        # Outcomes of the same rules would fire as one: the first stands for all of them.
        same: dict[int, int] = {}
        for i, outcome in enumerate(outcomes):
            if outcome.rules:
                same[outcome.rules] = same.get(outcome.rules, 0) | 1 << i
        self._same = [(bits & -bits, bits) for bits in same.values() if bits & (bits - 1)]
        self._outcomes = self._stage([(b & -b, mask) for mask, b in same.items()], pending)
        self.evaluate([i.unknown for i in self._circuit.inputs])

    def _build_verdicts(self, lowering: _Lowering, planned: Plan) -> None:
        literals = lowering.literals
        tokens = [*range(len(literals)), *planned.earlier]
        names = dict(zip(tokens, token_names(len(tokens)), strict=True))
        self._rulesets: list[tuple[_LiteralRuleset, Callable[[int], str]]] = []
        for shard in planned.shards:
            cage = Cage(self._library, shard, names)
            self._cages.append(cage)
            pieces = _fragments(names, shard)
            _smoke(cage, shard, pieces)
            found = [(planned.earlier[t], piece) for t, piece in pieces.items() if t < 0]
            self._rulesets.append(
                (_LiteralRuleset(self._circuit, literals, cage, pieces), _earlier(found))
            )

    def _build_defeat(self, pending: int) -> None:
        self._strata: list[tuple[int, int, _MaskStage]] = []
        for members in self._circuit.strata():
            defeated: dict[int, int] = {}
            for i in members:
                mask = self._circuit.rules[i].defeaters
                defeated[mask] = defeated.get(mask, 0) | 1 << i
            defeated.pop(0, None)
            relevant = 0
            for mask in defeated:
                relevant |= mask
            stage = self._stage([(bits, mask) for mask, bits in defeated.items()], pending)
            self._strata.append((sum(1 << i for i in members), relevant, stage))

    def _stage(self, outputs: Sequence[tuple[int, int]], pending: int) -> _MaskStage:
        return _MaskStage(self._library, self._cages, outputs, pending)

    def _verdicts(self, inputs: Sequence[int]) -> tuple[int, int]:
        """Verdicts in the low half, channels in the high one: possible, then certain."""
        may = must = self._constant
        for ruleset, earlier in self._rulesets:
            fired, sure = ruleset.fire(inputs, earlier, may, must)
            may |= fired
            must |= sure
        return may, must

    def _effective(self, may: int, must: int, allowed: int) -> tuple[int, int]:
        channel = len(self._circuit.rules)
        candidates = may & may >> channel & self._all & allowed
        certain = must & must >> channel & self._all & allowed
        effective = maybe = 0
        for members, relevant, defeat in self._strata:
            if not relevant:
                effective |= certain & members
                maybe |= candidates & members
                continue
            surely, perhaps = effective & relevant, maybe & relevant
            surely_defeated = defeat.fire(surely) if surely else 0
            defeated = surely_defeated if surely == perhaps else defeat.fire(perhaps)
            effective |= certain & members & ~defeated
            maybe |= candidates & members & ~surely_defeated
        return effective, maybe

    def _outcome(self, effective: int, maybe: int) -> int:
        """Outcomes from the top down to the first that certainly holds.

        The ruleset keeps their order, so the first rule that fires on what is certainly
        effective is that outcome.
        """
        certain = self._outcomes.fire(effective, until=-1) or self._always
        if effective == maybe:
            return certain
        first = certain & -certain
        possible = self._outcomes.fire(maybe, until=-first) | self._always
        for one, bits in self._same:
            if possible & one:
                possible |= bits
        return possible & (2 * first - 1)


def _earlier(found: list[tuple[int, str]]) -> Callable[[int], str]:
    """The piece of a record that what earlier rulesets found brings."""
    if not found:
        return lambda fired: ""
    return lambda fired: "".join([piece for bit, piece in found if fired & bit])
