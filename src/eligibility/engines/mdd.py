"""Multi-valued decision diagrams: reduced, ordered, shared.

A node branches on a variable into one child per region; equal nodes exist once, a node
whose children are all the same is left out. (R. E. Bryant, Graph-based algorithms for
Boolean function manipulation, 1986; A. Srinivasan et al., Algorithms for discrete
function manipulation, 1990.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eligibility.errors import EngineError, Problem, Text

FALSE = 0
TRUE = 1
IMPOSSIBLE = 2
FIRST_OUTCOME = 3
TERMINALS = 64
NODE_BUDGET = 200_000


@dataclass(frozen=True, slots=True)
class Residual:
    """What is left of a diagram after some variables are fixed."""

    store: Diagrams
    root: int
    _support: list[list[int]] = field(default_factory=list, compare=False, repr=False)

    def support(self) -> list[int]:
        """The variables that matter, in order; found once."""
        if not self._support:
            self._support.append(self.store.support(self.root))
        return self._support[0]

    def reachable(self, allowed: Sequence[int]) -> frozenset[int]:
        return self.store.reachable(self.root, allowed)

    def restrict(self, allowed: Sequence[int]) -> Residual:
        return self.store.restrict(self.root, allowed)

    def secured(
        self, allowed: Sequence[int], options: Mapping[int, int], worth: Mapping[int, int]
    ) -> int | None:
        """The worth that is certain if each optional variable is chosen for the best.

        Every other variable may turn out the worst. The choice may look at the variables
        above it, so this bounds from above what a choice made beforehand secures. None where
        nothing is possible.
        """
        memo: dict[int, int | None] = dict(worth)
        memo[IMPOSSIBLE] = None
        var, kids = self.store.var, self.store.kids
        only = _known(allowed)
        for place in options:
            only[place] = None

        def walk(node: int) -> int | None:
            while node not in memo and (region := only[var[node]]) is not None:
                node = kids[node][region]
            if node in memo:
                return memo[node]
            place = var[node]
            open_ = [walk(k) for r, k in enumerate(kids[node]) if allowed[place] >> r & 1]
            result = min((w for w in open_ if w is not None), default=None)
            chosen = options.get(place, 0)
            for r, k in enumerate(kids[node]):
                if chosen >> r & 1:
                    taken = walk(k)
                    if taken is not None and (result is None or taken > result):
                        result = taken
            memo[node] = result
            return result

        return walk(self.root)


_REGION = {1 << region: region for region in range(64)}


def _known(allowed: Sequence[int]) -> list[int | None]:
    """The region of each variable that is known, as most are; None: every branch is looked at."""
    return list(map(_REGION.get, allowed))


class Diagrams:
    """A store of nodes. Ids below :data:`TERMINALS` are terminals, the rest nodes.

    ``variables``: number of regions of each variable, in order; a node's children have
    variables further down the order.
    """

    def __init__(self, variables: Sequence[int], budget: int = NODE_BUDGET) -> None:
        self.variables = list(variables)
        self.budget = budget
        self.var: list[int] = [len(self.variables)] * TERMINALS
        self.kids: list[tuple[int, ...]] = [()] * TERMINALS
        self._unique: dict[tuple[int, tuple[int, ...]], int] = {}
        self._select: dict[tuple[int, int, int], int] = {}

    def node(self, variable: int, kids: tuple[int, ...]) -> int:
        first = kids[0]
        if kids.count(first) == len(kids):
            return first
        key = (variable, kids)
        found = self._unique.get(key)
        if found is None:
            found = self._unique[key] = len(self.var)
            if found > self.budget:
                raise EngineError(
                    Problem(
                        "node_budget",
                        Text(
                            f"规则组合过于复杂（超过 {self.budget} 个节点）",
                            f"the rules combine into more than {self.budget} nodes",
                        ),
                    )
                )
            self.var.append(variable)
            self.kids.append(kids)
        return found

    def literal(self, variable: int, mask: int) -> int:
        """True in the regions of ``mask``."""
        count = self.variables[variable]
        return self.node(variable, tuple(TRUE if mask >> r & 1 else FALSE for r in range(count)))

    def select(self, condition: int, then: int, otherwise: int) -> int:
        """``then`` where the condition holds, else ``otherwise`` (if-then-else)."""
        if condition == TRUE or then == otherwise:
            return then
        if condition == FALSE:
            return otherwise
        if then == TRUE and otherwise == FALSE:
            return condition
        key = (condition, then, otherwise)
        found = self._select.get(key)
        if found is None:
            var, kids = self.var, self.kids
            top = min(var[condition], var[then], var[otherwise])
            count = self.variables[top]
            parts = [
                kids[n] if var[n] == top else (n,) * count for n in (condition, then, otherwise)
            ]
            made = tuple(self.select(c, t, o) for c, t, o in zip(*parts, strict=True))
            found = self._select[key] = self.node(top, made)
        return found

    def conjunction(self, nodes: Sequence[int]) -> int:
        result = TRUE
        for node in nodes:
            result = self.select(result, node, FALSE)
        return result

    def disjunction(self, nodes: Sequence[int]) -> int:
        result = FALSE
        for node in nodes:
            result = self.select(result, TRUE, node)
        return result

    def negation(self, node: int) -> int:
        return self.select(node, FALSE, TRUE)

    def forget_work(self) -> None:
        """Drop the tables that only building needs."""
        self._select.clear()

    # --- questions asked of a finished diagram -----------------------------------------------

    def reachable(self, root: int, allowed: Sequence[int]) -> frozenset[int]:
        """The terminals that some assignment within the allowed regions reaches."""
        seen: set[int] = set()
        stack = [root]
        found: set[int] = set()
        var, kids, only = self.var, self.kids, _known(allowed)
        while stack:
            node = stack.pop()
            while node >= TERMINALS and (region := only[var[node]]) is not None:
                node = kids[node][region]
            if node < TERMINALS:
                found.add(node)
            elif node not in seen:
                seen.add(node)
                mask = allowed[var[node]]
                stack.extend([k for r, k in enumerate(kids[node]) if mask >> r & 1])
        return frozenset(found)

    def restrict(self, root: int, allowed: Sequence[int]) -> Residual:
        """The diagram left when variables with one allowed region are fixed.

        Regions that are not allowed become impossible, and a choice all of whose possible
        branches agree is left out: what remains are the variables that still matter. It
        lives in a store of its own, so that asking leaves nothing behind.
        """
        left = Diagrams(self.variables, self.budget)
        memo: dict[int, int] = {}
        var, kids, only = self.var, self.kids, _known(allowed)

        def walk(start: int) -> int:
            node = start
            while (
                node >= TERMINALS and node not in memo and (region := only[var[node]]) is not None
            ):
                node = kids[node][region]
            if node < TERMINALS:
                return node
            found = memo.get(node)
            if found is None:
                mask = allowed[var[node]]
                made = [walk(k) if mask >> r & 1 else IMPOSSIBLE for r, k in enumerate(kids[node])]
                found = memo[node] = left._merged(var[node], tuple(made))
            memo[start] = found
            return found

        return Residual(left, walk(root))

    def _merged(self, variable: int, kids: tuple[int, ...]) -> int:
        possible = {k for k in kids if k != IMPOSSIBLE}
        if len(possible) <= 1:
            return possible.pop() if possible else IMPOSSIBLE
        return self.node(variable, kids)

    def support(self, root: int) -> list[int]:
        """The variables that occur below a node, in order."""
        seen: set[int] = set()
        found: set[int] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if node >= TERMINALS and node not in seen:
                seen.add(node)
                found.add(self.var[node])
                stack.extend(self.kids[node])
        return sorted(found)

    def size(self, root: int) -> int:
        """Number of inner nodes below and including a node."""
        seen: set[int] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if node >= TERMINALS and node not in seen:
                seen.add(node)
                stack.extend(self.kids[node])
        return len(seen)
