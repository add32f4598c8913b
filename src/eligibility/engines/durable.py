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
from types import TracebackType
from typing import Self

from eligibility.circuit.model import Circuit, Verdicts
from eligibility.engines.durable_cage import HEAD, Cage, Library, failed, load, token_names
from eligibility.engines.durable_literals import REMEMBERED, Closing, Fragments, Literal, Lowering
from eligibility.engines.durable_rulesets import FALSE, PENDING, TRUE, Plan, Shard, Terms, plan
from eligibility.errors import EngineError

_TIGHTER = (PENDING, PENDING // 2, PENDING // 4)


def _fragments(names: Mapping[int, str], shard: Shard) -> dict[int, str]:
    """What a record holds where a token of the shard is true."""
    return {token: f',"{names[token]}":1' for token in shard.tokens}


class _LiteralRuleset:
    """A ruleset over the literals of the inputs."""

    def __init__(
        self, circuit: Circuit, literals: Sequence[Literal], cage: Cage, pieces: dict[int, str]
    ) -> None:
        self.cage = cage
        by_input: dict[int, list[tuple[str, Literal]]] = {}
        for token, piece in pieces.items():
            if token >= 0:
                by_input.setdefault(literals[token].input, []).append((piece, literals[token]))
        self.possible: list[tuple[int, Fragments]] = []
        self.certain: list[tuple[int, Fragments]] = []
        for number, found in sorted(by_input.items()):
            unknown = circuit.inputs[number].unknown
            may = [(p, x.mask, x.closing is not Closing.CERTAINLY) for p, x in found]
            must = [(p, x.mask, x.closing is Closing.POSSIBLY) for p, x in found]
            self.possible.append((number, Fragments(unknown, may)))
            self.certain.append((number, Fragments(unknown, must)))

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
        shards = plan(terms, wanted, 0, pending).shards
        self._rulesets: list[tuple[Cage, dict[int, str]]] = []
        names = token_names(max((mask.bit_length() for _, mask in outputs), default=0))
        for shard in shards:
            cage = Cage(library, shard, dict(enumerate(names)))
            cages.append(cage)
            self._rulesets.append((cage, _fragments(dict(enumerate(names)), shard)))
            _smoke(cage, shard, self._rulesets[-1][1])
        self._records: dict[int, list[str]] = {}

    def fire(self, mask: int, until: int = 0) -> int:
        """The bits fired by a mask of rules; ``until`` as in :meth:`Cage.fire`."""
        fired = 0
        records = self._records.get(mask) or self._record(mask)
        for (cage, _), record in zip(self._rulesets, records, strict=True):
            # A record without a token can match nothing.
            if record:
                fired |= cage.fire(record, until)
        return fired

    def _record(self, mask: int) -> list[str]:
        records = []
        for _, pieces in self._rulesets:
            text = "".join([piece for token, piece in pieces.items() if mask >> token & 1])
            records.append(f"{HEAD}{text}}}" if text else "")
        if len(self._records) < REMEMBERED:
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
                    raise

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
        lowering = Lowering(self._circuit)
        roots = [r.verdict for r in rules] + [r.channel for r in rules]
        by_term: dict[int, int] = {}
        for bit, term in enumerate(lowering.lower(roots)):
            by_term[term] = by_term.get(term, 0) | 1 << bit
        self._constant = by_term.pop(TRUE, 0)
        by_term.pop(FALSE, 0)
        outputs = [(bits, term) for term, bits in by_term.items()]
        self._build_verdicts(lowering, plan(lowering.terms, outputs, len(roots), pending))
        self._build_defeat(pending)
        always = [i for i, o in enumerate(self._circuit.outcomes) if o.rules == -1]
        self._always = 1 << always[0] if always else 0
        outcomes = self._circuit.outcomes[: always[0]] if always else self._circuit.outcomes
        self._outcomes = self._stage([(1 << i, o.rules) for i, o in enumerate(outcomes)], pending)
        self.evaluate([i.unknown for i in self._circuit.inputs])

    def _build_verdicts(self, lowering: Lowering, planned: Plan) -> None:
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
        effective names that outcome with its lowest bit (outcomes of equal rules are one
        rule), and reading can stop there.
        """
        certain = self._outcomes.fire(effective, until=1) or self._always
        first = certain & -certain
        if effective == maybe:
            return first
        possible = self._outcomes.fire(maybe, until=first) | self._always
        return possible & (2 * first - 1)


def _earlier(found: list[tuple[int, str]]) -> Callable[[int], str]:
    """The piece of a record that what earlier rulesets found brings."""
    if not found:
        return lambda fired: ""
    return lambda fired: "".join([piece for bit, piece in found if fired & bit])
