"""Decision diagrams asked for many cases at once.

What a diagram leaves of a case once its known facts are put in is found as in
``engines.mdd``: choices that are known are followed, choices that make no difference left
out. Here every step is made for all cases together, and what is left of a case is a number
that stands for the same remainder in every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eligibility.docket.columns import Ints, examples, numbered
from eligibility.engines.diagram import Built
from eligibility.engines.mdd import FIRST_OUTCOME, IMPOSSIBLE, TERMINALS

REMAINDERS_KEPT = 200_000
NOTHING = np.zeros(0, dtype=np.int64)
SHARED_PLACES, SHARED_BITS = 8, 40
"""Up to how many variables, and regions of them, a node depends on for its forks to be shared."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_LAST = np.int64(2**62)
_FACTORS = np.random.default_rng(1).integers(1, 2**63, 128, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a diagram leaves: positions of the outcomes that remain, and the places of the
    variables that still matter.
    """

    outcomes: frozenset[int]
    support: tuple[int, ...]


class Residuals:
    """The tables of several diagrams. Numbers below ``TERMINALS`` are terminals.

    INVARIANT: :meth:`ask` leaves of every case what ``Diagrams.restrict`` leaves of it.
    """

    def __init__(self) -> None:
        self.place = np.zeros(TERMINALS, dtype=np.int16)
        self.kids = np.zeros((TERMINALS, 2), dtype=np.int32)
        self.flat_kids, self.width = self.kids.ravel(), self.kids.shape[1]
        self.masks: type[np.signedinteger[Any]] = np.int32  # what holds all regions of a variable
        self.near = np.zeros((TERMINALS, SHARED_PLACES), dtype=np.int16)
        self.weights = np.zeros((TERMINALS, SHARED_PLACES), dtype=np.int64)
        self.shared = np.zeros(TERMINALS, dtype=bool)
        self.roots: list[int] = []
        self.built: list[Built] = []
        self._made: dict[int, dict[bytes, int]] = {}  # by place
        self._remainders: list[Remainder] = []

    def add(self, built: Built) -> int:
        """The number of a diagram, to be named in questions."""
        nodes = _reached(built)
        first = len(self.place)
        numbers = {node: first + i for i, node in enumerate(nodes)}
        numbers.update((t, t) for t in range(TERMINALS))
        store = built.store
        width = max([self.kids.shape[1], *(len(store.kids[n]) for n in nodes)])
        kids = np.full((first + len(nodes), width), IMPOSSIBLE, dtype=np.int32)
        kids[:first, : self.kids.shape[1]] = self.kids
        for node in nodes:
            held = store.kids[node]
            kids[numbers[node], : len(held)] = [numbers[k] for k in held]
        self.kids, self.flat_kids, self.width = kids, kids.ravel(), width
        if max(store.variables, default=0) > 30:
            self.masks = np.int64
        self.place = np.concatenate((self.place, [store.var[n] for n in nodes])).astype(np.int16)
        near, weights = _shared(built, nodes)
        self.near = np.concatenate((self.near, near))
        self.weights = np.concatenate((self.weights, weights))
        self.shared = self.weights[:, 0] > 0
        self.roots.append(numbers[built.root])
        self.built.append(built)
        return len(self.built) - 1

    def forget_many(self) -> None:
        """Let go of remainders once they are many: between batches, never within one."""
        if len(self._remainders) > REMAINDERS_KEPT:
            self._made.clear()
            self._remainders.clear()

    def remainder(self, number: int) -> Remainder:
        """What a number stands for, until :meth:`forget_many`."""
        if number >= TERMINALS:
            return self._remainders[number - TERMINALS]
        held = frozenset([number - FIRST_OUTCOME] if number >= FIRST_OUTCOME else [])
        return Remainder(held, ())

    def ask(self, diagrams: Ints, allowed: Ints) -> Ints:
        """The remainder of each case.

        ``diagrams``: the diagram of each; ``allowed``: a row a case, a column a place, the
        regions still possible as a mask.
        """
        walk = _Walk(self, diagrams, allowed)
        roots: Ints = np.array(self.roots, dtype=np.int64)[diagrams]
        heads = walk.down(np.arange(len(diagrams)), roots)
        return walk.up()[heads]

    def numbers(self, place: int, shapes: NDArray[np.int64]) -> list[int]:
        """The numbers of nodes of one place: a line each, the diagram and then the remainders of
        its branches.
        """
        size = shapes.shape[1] * shapes.itemsize
        kept, made = shapes.tobytes(), self._made.setdefault(place, {})
        keys = [kept[begin : begin + size] for begin in range(0, len(kept), size)]
        for line, key in enumerate(keys):
            if key not in made:
                made[key] = self._remember(place, shapes[line, 1:].tolist())
        return [made[key] for key in keys]

    def _remember(self, place: int, kids: list[int]) -> int:
        below = [self.remainder(kid) for kid in kids if kid != IMPOSSIBLE]
        outcomes = frozenset[int]().union(*(one.outcomes for one in below))
        support = {place}.union(*(one.support for one in below))
        self._remainders.append(Remainder(outcomes, tuple(sorted(support))))
        return TERMINALS + len(self._remainders) - 1


def _reached(built: Built) -> list[int]:
    seen: set[int] = set()
    stack = [built.root]
    while stack:
        node = stack.pop()
        if node >= TERMINALS and node not in seen:
            seen.add(node)
            stack.extend(built.store.kids[node])
    return sorted(seen)


def _shared(built: Built, nodes: list[int]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Of each node the places that it depends on, and by what to multiply the masks there so that
    their sum tells all of them; weights of 0 where they are too many.
    """
    near = np.zeros((len(nodes), SHARED_PLACES), dtype=np.int16)
    weights = np.zeros((len(nodes), SHARED_PLACES), dtype=np.int64)
    sizes = built.store.variables
    supports: dict[int, int] = dict.fromkeys(range(TERMINALS), 0)
    listed: dict[int, tuple[list[int], list[int]] | None] = {}
    for line, node in enumerate(nodes):  # the branches of a node have lower numbers
        support = 1 << built.store.var[node]
        for kid in built.store.kids[node]:
            support |= supports[kid]
        supports[node] = support
        if support not in listed:
            listed[support] = _weights(support, sizes)
        found = listed[support]
        if found is not None:
            near[line, : len(found[0])], weights[line, : len(found[1])] = found
    return near, weights


def _weights(support: int, sizes: Sequence[int]) -> tuple[list[int], list[int]] | None:
    """The places of a support, and the weights of their masks; None where they are too many."""
    places = [place for place in range(support.bit_length()) if support >> place & 1]
    shifts = [0, *accumulate(sizes[place] for place in places)]
    if len(places) > SHARED_PLACES or shifts[-1] > SHARED_BITS:
        return None
    return places, [1 << shift for shift in shifts[:-1]]


class _Walk:
    """One batch on its way down the diagrams and up again.

    A *fork* is a node of a case where more than one branch is allowed; one that depends on few
    variables is shared by the cases that have the same masks there. Meeting a fork again is
    noticed by a table that may forget: then it is walked twice, to the same end.
    """

    def __init__(self, tables: Residuals, diagrams: Ints, allowed: Ints) -> None:
        self.tables, self.diagrams, self.allowed = tables, diagrams, allowed
        self.width, self.flat_sole = allowed.shape[1], _sole(allowed).ravel()
        self.flat_allowed = allowed.ravel()
        self.rows = self.nodes = self.keys = NOTHING
        bits = max(12, int(np.ceil(np.log2(len(diagrams) * 16 + 1))))
        self.shift = np.uint64(64 - bits)
        self.slots = np.full(1 << bits, -1, dtype=np.int32)
        self.entries: list[tuple[Ints, Ints, Ints]] = []  # fork, branch, where it leads

    def down(self, rows: Ints, nodes: Ints) -> Ints:
        """Where each case first stands: a terminal, or a fork as ``TERMINALS`` + its number."""
        heads, new = self._arrive(rows, nodes)
        while new.size:
            rows, nodes = self.rows[new], self.nodes[new]
            masks = self.allowed[rows, self.tables.place[nodes]]
            forks, branches = _branches(masks)
            kids = self.tables.kids[nodes[forks], branches].astype(np.int64)
            leads, more = self._arrive(rows[forks], kids)
            self.entries.append((new[forks], branches, leads))
            new = more
        return heads

    def _arrive(self, rows: Ints, nodes: Ints) -> tuple[Ints, Ints]:
        """Follow what is known; the forks met for the first time come second."""
        tables, nodes = self.tables, nodes.copy()
        at = np.flatnonzero(nodes >= TERMINALS)
        here, begin = nodes.take(at), rows.take(at) * self.width
        while at.size:
            branch = self.flat_sole.take(begin + tables.place.take(here))
            known = np.flatnonzero(branch >= 0)
            at, begin = at.take(known), begin.take(known)
            here = tables.flat_kids.take(here.take(known) * tables.width + branch.take(known))
            nodes[at] = here
            on = np.flatnonzero(here >= TERMINALS)
            at, begin, here = at.take(on), begin.take(on), here.take(on).astype(np.int64)
        forks = np.flatnonzero(nodes >= TERMINALS)
        numbers, new = self._numbered(rows[forks], nodes[forks])
        nodes[forks] = TERMINALS + numbers
        return nodes, new

    def _numbered(self, rows: Ints, nodes: Ints) -> tuple[Ints, Ints]:
        keys = self._keys(rows, nodes)
        slots = (keys.astype(np.uint64) * _SPREAD) >> self.shift
        numbers = self.slots.take(slots.view(np.int64)).astype(np.int64)
        held = numbers >= 0
        held[held] = self.keys[numbers[held]] == keys[held]
        unseen = np.flatnonzero(~held)
        if not unseen.size:
            return numbers, NOTHING
        mine, first = keys[unseen], len(self.keys)
        self.slots[slots[unseen]] = np.arange(unseen.size)
        met = self.slots[slots[unseen]]  # one of those that share the slot
        same = mine[met] == mine
        makes = ~same | (met == np.arange(unseen.size))
        given = first + np.cumsum(makes) - 1
        given[same] = given[met[same]]
        numbers[unseen] = given
        self.slots[slots[unseen]] = given
        made = unseen[makes]
        self.rows = np.concatenate((self.rows, rows[made]))
        self.nodes = np.concatenate((self.nodes, nodes[made]))
        self.keys = np.concatenate((self.keys, keys[made]))
        return numbers, np.arange(first, len(self.keys))

    def _keys(self, rows: Ints, nodes: Ints) -> Ints:
        """What tells a fork from all others: its node, and its case or the masks that matter."""
        tables, count = self.tables, len(self.tables.place)
        shared = tables.shared.take(nodes)
        # INVARIANT: forks of one key lead to one remainder
        keys = rows * count + nodes
        near = nodes[shared]
        if near.size:
            begin = (rows[shared] * self.width)[:, None]
            masks = self.flat_allowed.take(tables.near.take(near, axis=0) + begin)
            code = np.einsum("ij,ij->i", masks, tables.weights.take(near, axis=0))
            keys[shared] = -1 - (code * count + near)
        return keys

    def up(self) -> Ints:
        """The remainder of every terminal and fork, from the last place to the first."""
        found = np.arange(TERMINALS + len(self.rows))
        if not self.entries:
            return found
        forks, branches, leads = (
            np.concatenate(parts) for parts in zip(*self.entries, strict=True)
        )
        places = self.tables.place.take(self.nodes)
        # Forks are in order already: a stable sort by place keeps those of one place together.
        order = np.argsort(-places.take(forks), kind="stable")
        forks, branches, leads = (one.take(order) for one in (forks, branches, leads))
        bounds = np.flatnonzero(np.diff(places.take(forks), prepend=-1, append=-1))
        for begin, end in pairwise(bounds.tolist()):
            part = slice(begin, end)
            place = int(places[forks[begin]])
            self._join(found, place, forks[part], branches[part], found.take(leads[part]))
        return found

    def _join(self, found: Ints, place: int, forks: Ints, branches: Ints, below: Ints) -> None:
        """The remainders of the forks of one place. Branches that agree are no choice."""
        starts = np.flatnonzero(np.diff(forks, prepend=-1))
        owners = forks[starts]
        possible = below != IMPOSSIBLE
        least = np.minimum.reduceat(np.where(possible, below, _LAST), starts)
        most = np.maximum.reduceat(np.where(possible, below, -1), starts)
        found[TERMINALS + owners] = np.where(most < 0, IMPOSSIBLE, least)
        differ = np.flatnonzero((least < most) & (most >= 0))
        if not differ.size:
            return
        which = np.full(len(owners), -1)
        which[differ] = np.arange(differ.size)
        line = np.repeat(which, np.diff(starts, append=len(forks)))
        chosen = line >= 0
        width = self.tables.kids.shape[1]
        shapes = np.full((differ.size, width + 1), IMPOSSIBLE, dtype=np.int64)
        shapes[line[chosen], branches[chosen] + 1] = below[chosen]
        shapes[:, 0] = self.diagrams[self.rows[owners[differ]]]
        first, inverse = _alike(shapes)
        numbers = self.tables.numbers(place, shapes[first])
        found[TERMINALS + owners[differ]] = np.array(numbers)[inverse]


def _branches(masks: NDArray[np.signedinteger[Any]]) -> tuple[Ints, Ints]:
    """The bits of each mask: whose they are, and which."""
    octets = masks.view(np.uint8).reshape(len(masks), masks.itemsize)
    bits = np.unpackbits(octets, axis=1, bitorder="little").view(bool)
    places = np.flatnonzero(bits)
    width = 8 * masks.itemsize  # a power of two: shifting is faster than dividing
    return places >> (width.bit_length() - 1), places & (width - 1)


def _alike(shapes: Ints) -> tuple[Ints, Ints]:
    """A row for each kind of row, and the kind of each row."""
    sums = shapes.view(np.uint64) @ _FACTORS[: shapes.shape[1]]
    found, which = numbered(sums.view(np.int64))
    first = examples(which, len(found))
    if np.array_equal(shapes[first[which]], shapes):
        return first, which
    _, first, which = np.unique(shapes, axis=0, return_index=True, return_inverse=True)
    return first, which.ravel()


def _sole(allowed: Ints) -> NDArray[np.int8]:
    """The branch where one alone is allowed, else -1."""
    return _SOLE[allowed] if allowed.max(initial=0) < len(_SOLE) else _sole_of(allowed)


def _sole_of(allowed: Ints) -> NDArray[np.int8]:
    out = np.where(allowed & (allowed - 1), -1, 0).astype(np.int8)
    single = out == 0
    out[single] = np.frexp(allowed[single].astype(np.float64))[1] - 1
    return out


_SOLE = _sole_of(np.arange(1, 1 << 12))
_SOLE = np.concatenate((np.array([-1], dtype=np.int8), _SOLE))
