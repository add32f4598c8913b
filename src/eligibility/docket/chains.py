"""Chains: cases that hang together by debtors and properties that they share.

Connected components: two cases with one debtor or one property are linked, and so is
whoever is linked to either. A chain is a finding for the handler to look at; it is not the
fact 关联紧密/连环债, which the handler confirms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eligibility.docket.debtors import distinct_of
from eligibility.docket.identifiers import Bits, Codes, Hashes, Ints, Sorted

NO_CHAIN = -1
BLOCK = 1 << 18  # properties looked up at once


@dataclass(frozen=True, slots=True)
class Links:
    """Which row names which debtor (a code) and which property (a hash), and of each row the case,
    the court (-1: not known) and whether another row may have its case. Rows of cases that are
    closed are left out, and so may be debtors named but once.
    """

    debtor_rows: Codes
    debtors: Codes
    property_rows: Codes
    properties: Hashes
    cases: Hashes
    courts: Codes
    again: Bits


@dataclass
class Chains:
    """``of_debtor``: the chain of each debtor; ``of_property``: of each hash in ``shared``
    (sorted). Chains are numbered from 0 in the order of their first row; ``cases`` and
    ``courts`` are their sizes.
    """

    of_debtor: Codes
    shared: Hashes
    of_property: Codes
    cases: Ints
    courts: Ints

    @cached_property
    def _shared(self) -> Sorted:
        return Sorted(self.shared)

    @cached_property
    def numbers(self) -> Ints:
        """The number under which a chain is shown, from 1; 0 for a case that is linked to none."""
        linked = self.cases > 1
        numbers: Ints = np.where(linked, np.cumsum(linked), 0)
        return numbers

    def of_properties(self, hashed: Hashes) -> Codes:
        """The chain of each property, ``NO_CHAIN`` where no other case has it."""
        if not len(self.shared):
            return np.full(len(hashed), NO_CHAIN, dtype=np.int32)
        place = self._shared.places(hashed)
        return np.where(self.shared[place] == hashed, self.of_property[place], NO_CHAIN)


def chains_of(links: Links, debtors: int) -> Chains:
    """The chains of a docket with debtors 0 to ``debtors`` - 1; a case alone is in none."""
    shared = repeated(links.properties)
    anchors = np.full(len(links.cases), NO_CHAIN, dtype=np.int32)
    edges = []
    for rows, nodes in (
        (links.debtor_rows, links.debtors),
        *_blocks(links.property_rows, links.properties, shared, debtors),
    ):
        free = anchors[rows] == NO_CHAIN
        anchors[rows[free]] = nodes[free]
        anchor = anchors[rows]
        apart = anchor != nodes
        edges.append((anchor[apart], nodes[apart]))
    one, other = (np.concatenate([edge[side] for edge in edges]) for side in (0, 1))
    labels = components(debtors + len(shared), one, other)
    rows = np.flatnonzero(anchors != NO_CHAIN).astype(np.int32)
    return _numbered(links, rows, labels[anchors[rows]], labels, shared, debtors)


def _blocks(
    rows: Codes, properties: Hashes, shared: Hashes, first: int
) -> Iterator[tuple[Codes, Codes]]:
    """The rows that have a shared property, and which it is from ``first``; some at a time."""
    if not len(shared):
        return
    known = Sorted(shared)
    for start in range(0, len(rows), BLOCK):
        block = properties[start : start + BLOCK]
        place = known.places(block)
        kept = shared[place] == block
        yield rows[start : start + BLOCK][kept], (place[kept] + first).astype(np.int32)


def repeated(values: Hashes) -> Hashes:
    """The values that occur more than once, sorted; 0 stands for none."""
    ordered = np.sort(values)
    again = ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)]
    found: Hashes = again[np.append(True, again[1:] != again[:-1])] if len(again) else again
    return found


def components(size: int, one: Codes, other: Codes) -> Codes:
    """For each of ``size`` nodes the least node that edges connect it with.

    Every root hangs itself under the least root next to it, then paths are shortened, until
    no edge leads from one tree to another.
    INVARIANT: two nodes have one label iff edges connect them.
    """
    parent = np.arange(size, dtype=np.int32)
    while len(one):
        low, high = np.minimum(parent[one], parent[other]), np.maximum(parent[one], parent[other])
        apart = low != high
        if not apart.any():
            break
        one, other, low, high = one[apart], other[apart], low[apart], high[apart]
        np.minimum.at(parent, high, low)
        while True:
            above = parent[parent]
            if np.array_equal(above, parent):
                break
            parent = above
    return parent


def _numbered(
    links: Links, rows: Codes, label: Codes, labels: Codes, shared: Hashes, debtors: int
) -> Chains:
    """Chains by number, with their sizes; ``label`` is that of each row in ``rows``."""
    first = np.zeros(len(labels), dtype=np.int32)
    first[label[::-1]] = np.arange(len(label) - 1, -1, -1, dtype=np.int32)
    begun = label[first[label] == np.arange(len(label), dtype=np.int32)]
    of_node = np.full(len(labels), NO_CHAIN, dtype=np.int32)
    of_node[begun] = np.arange(len(begun), dtype=np.int32)
    of_node = of_node[labels]
    chain = of_node[label]
    courts, several = links.courts[rows], (np.bincount(chain, minlength=len(begun)) > 1)[chain]
    known = courts >= 0
    apart, several = known & ~several, known & several
    return Chains(
        of_node[:debtors],
        shared,
        of_node[debtors:],
        sizes(chain, links.cases[rows], links.again[rows], len(begun)),
        np.bincount(chain[apart], minlength=len(begun))
        + distinct_of(chain[several], courts[several], len(begun)),
    )


def sizes(groups: Codes, members: Hashes, twice: Bits, count: int) -> Ints:
    """How many different members each of ``count`` groups has; few occur ``twice``."""
    if not twice.any():
        return np.bincount(groups, minlength=count)
    once = np.bincount(groups[~twice], minlength=count)
    group, member = groups[twice], members[twice]
    order = np.lexsort((member, group))
    group, member = group[order], member[order]
    new = np.ones(len(group), dtype=bool)
    new[1:] = (group[1:] != group[:-1]) | (member[1:] != member[:-1])
    return once + np.bincount(group[new], minlength=count)
