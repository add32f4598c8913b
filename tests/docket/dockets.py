"""Random dockets, and their debtors counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

COURTS = ("sc-chengdu-qingyang", "sc-zigong-fushun", "js-yancheng-funing")
NAMES = {
    "sc-chengdu-qingyang": ("sc-chengdu-qingyang", "青羊区法院"),
    "sc-zigong-fushun": ("sc-zigong-fushun", "富顺法院"),
    "js-yancheng-funing": ("js-yancheng-funing", "阜宁法院"),
}
OPEN = ("enforcing", "suspended", "deferred")
CLOSED = ("completed", "terminated", "refused", "dismissed", "cancelled")
ROUND = "terminated_this_time"
IDS = ("甲", "乙", "丙", "91510000X")
PROPERTIES = ("川A12345678901", "510104001001GB00001", "账号6222000011112222")
Row = dict[str, Any]


@st.composite
def cases(draw: st.DrawFn, number: int) -> Row:
    """One case of which everything that counts is known."""
    debtors = draw(st.lists(st.sampled_from(IDS), max_size=3))
    return {
        "case_no": f"（2024）执{number}号",
        "court_id": draw(st.sampled_from(COURTS)),
        "procedure_status": draw(st.sampled_from((*OPEN, *OPEN, *OPEN, ROUND, *CLOSED))),
        "debtors": [{"debtor_id": name} for name in debtors],
        "properties": [
            {"property_id": name}
            for name in draw(st.lists(st.sampled_from(PROPERTIES), max_size=1))
        ],
    }


@st.composite
def dockets(draw: st.DrawFn, most: int = 14) -> list[Row]:
    return [draw(cases(n)) for n in range(draw(st.integers(0, most)))]


@st.composite
def blurred(draw: st.DrawFn, rows: list[Row]) -> list[Row]:
    """The docket as a clerk may write it: names of courts, rows twice, things left out."""
    out = []
    for row in rows:
        made = dict(row)
        made["court_id"] = draw(st.sampled_from(NAMES[row["court_id"]]))
        for key in ("case_no", "court_id", "procedure_status"):
            if draw(st.integers(0, 5)) == 0:
                made[key] = None
        made["debtors"] = [
            {"debtor_id": draw(st.sampled_from((d["debtor_id"], f" {d['debtor_id'].lower()} ")))}
            for d in row["debtors"]
        ]
        out += [deepcopy(made) for _ in range(draw(st.sampled_from((1, 1, 1, 2))))]
    return out


def by_hand(rows: list[Row], terminated: bool) -> Mapping[str, tuple[int, int]]:
    """Each debtor's open cases and their courts."""
    held: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        for debtor in row["debtors"]:
            found = held.setdefault(debtor["debtor_id"], set())
            status = row["procedure_status"]
            if status in OPEN or (terminated and status == ROUND):
                found.add((row["case_no"], row["court_id"]))
    return {
        name: (len({case for case, _ in found}), len({court for _, court in found}))
        for name, found in held.items()
    }


def linked_by_hand(rows: list[Row]) -> list[set[int]]:
    """The rows that hang together, closed cases left out; those of no debtor are alone."""
    chains: list[tuple[set[int], set[str]]] = []
    for number, row in enumerate(rows):
        if row["procedure_status"] in CLOSED:
            continue
        names = {d["debtor_id"] for d in row["debtors"]}
        names |= {p["property_id"] for p in row["properties"]}
        if not names:
            continue
        touched = [chain for chain in chains if chain[1] & names]
        chains = [chain for chain in chains if not chain[1] & names]
        chains.append(
            ({number}.union(*(c[0] for c in touched)), names.union(*(c[1] for c in touched)))
        )
    return [rows for rows, _ in chains]
