"""Both engines, and an answer only if they agree."""

from __future__ import annotations

from collections.abc import Sequence

from eligibility.circuit.model import Circuit, Engine, Verdicts
from eligibility.errors import EngineError, Problem, Text


class VerifiedEngine:
    """Runs two engines on the same inputs; a disagreement is an error, never a decision."""

    def __init__(self, first: Engine, second: Engine, circuit: Circuit) -> None:
        self.first = first
        self.second = second
        self.circuit = circuit
        self.disagreements = 0

    def evaluate(self, inputs: Sequence[int], overridden: int = 0) -> Verdicts:
        one = self.first.evaluate(inputs, overridden)
        try:
            two = self.second.evaluate(inputs, overridden)
        except EngineError as error:
            error.evidence = f"rules=? first={_masks(one)} second=?"
            raise
        if one == two:
            return one
        self.disagreements += 1
        differing = one.true ^ two.true | one.possible ^ two.possible
        differing |= one.effective ^ two.effective | one.maybe_effective ^ two.maybe_effective
        rules = [r.id for i, r in enumerate(self.circuit.rules) if differing >> i & 1]
        names = ", ".join(rules) or "outcome"
        disagreement = EngineError(
            Problem(
                "engines_disagree",
                Text(
                    f"两个引擎对 {names} 的判断不一致，本次不作结论",
                    f"the engines disagree on {names}: there is no decision",
                ),
            )
        )
        disagreement.evidence = f"rules={','.join(rules)} first={_masks(one)} second={_masks(two)}"
        raise disagreement


def _masks(found: Verdicts) -> str:
    """The masks of an answer, for a log."""
    return " ".join(f"{name}:{mask:x}" for name, mask in found._asdict().items()).join("()")
