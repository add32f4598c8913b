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

from eligibility.docket.debtors import BLOCK, distinct_of
from eligibility.docket.identifiers import Bits, Codes, Hashes, Ints

NO_CHAIN = -1


@dataclass(frozen=True, slots=True)
class Links:
    """Which row names which debtor (a code) and which property (a hash), and the case and court
    (-1: not known) of each row. Debtors in the order of their rows; rows of cases that are closed
    are left out.
    """

    debtor_rows: Codes
    debtors: Codes
    property_rows: Codes
    properties: Hashes
    cases: Hashes
    courts: Codes


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
    def numbers(self) -> Ints:
        """The number under which a chain is shown, from 1; 0 for a case that is linked to none."""
        linked = self.cases > 1
        numbers: Ints = np.where(linked, np.cumsum(linked), 0)
        return numbers

    def of_properties(self, hashed: Hashes) -> Codes:
        """The chain of each property, ``NO_CHAIN`` where no other case has it."""
        if not len(self.shared):
            return np.full(len(hashed), NO_CHAIN, dtype=np.int32)
        place = np.searchsorted(self.shared, hashed).clip(max=len(self.shared) - 1)
        return np.where(self.shared[place] == hashed, self.of_property[place], NO_CHAIN)


def chains_of(links: Links, debtors: int) -> Chains:
    """The chains of a docket with debtors 0 to ``debtors`` - 1; a case alone is in none."""
    shared = repeated(links.properties)
    held = links.property_rows, links.properties
    of_property = [part for part in _blocks(*held, shared) if len(part[0])]
    rows, nodes = links.debtor_rows, links.debtors
    linked = _linked(rows, nodes, [part[0] for part in of_property], debtors)
    rows = np.concatenate([rows[linked], *(part[0] for part in of_property)])
    nodes = np.concatenate([nodes[linked], *(part[1] + np.int32(debtors) for part in of_property)])
    if of_property:
        order = np.argsort(rows, kind="stable")
        rows, nodes = rows[order], nodes[order]
    together = rows[1:] == rows[:-1]
    labels = components(debtors + len(shared), nodes[:-1][together], nodes[1:][together])
    first = np.ones(len(rows), dtype=bool)
    first[1:] = ~together
    return _numbered(links, rows[first], labels[nodes[first]], labels, shared, debtors)


def _blocks(rows: Codes, properties: Hashes, shared: Hashes) -> Iterator[tuple[Codes, Codes]]:
    """The rows that have a shared property, and which it is; some rows at a time."""
    for start in range(0, len(rows) if len(shared) else 0, BLOCK):
        block = properties[start : start + BLOCK]
        place = np.searchsorted(shared, block).clip(max=len(shared) - 1)
        kept = shared[place] == block
        yield rows[start : start + BLOCK][kept], place[kept].astype(np.int32)


def _linked(rows: Codes, nodes: Codes, others: list[Codes], debtors: int) -> Bits:
    """Mentions that link: the debtor has another case, or the case has more to it."""
    linked: Bits = (np.bincount(nodes, minlength=debtors) > 1)[nodes]
    together = rows[1:] == rows[:-1]
    linked[1:] |= together
    linked[:-1] |= together
    if others:
        marked = np.zeros(max(int(rows.max(initial=0)), *(int(o.max()) for o in others)) + 1, bool)
        for other in others:
            marked[other] = True
        linked |= marked[rows]
    return linked


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
    distinct, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    number = np.empty(len(distinct), dtype=np.int32)
    number[np.argsort(first, kind="stable")] = np.arange(len(distinct), dtype=np.int32)
    chain = number[inverse]
    of_node = np.full(len(labels), NO_CHAIN, dtype=np.int32)
    of_node[distinct] = number
    of_node = of_node[labels]
    known = links.courts[rows] >= 0
    return Chains(
        of_node[:debtors],
        shared,
        of_node[debtors:],
        sizes(chain, links.cases[rows], len(distinct)),
        distinct_of(chain[known], links.courts[rows][known], len(distinct)),
    )


def sizes(groups: Codes, members: Hashes, count: int) -> Ints:
    """How many different members each of ``count`` groups has; few members occur twice."""
    often = repeated(members)
    if not len(often):
        return np.bincount(groups, minlength=count)
    twice = np.isin(members, often)
    once = np.bincount(groups[~twice], minlength=count)
    group, member = groups[twice], members[twice]
    order = np.lexsort((member, group))
    group, member = group[order], member[order]
    new = np.ones(len(group), dtype=bool)
    new[1:] = (group[1:] != group[:-1]) | (member[1:] != member[:-1])
    return once + np.bincount(group[new], minlength=count)
