"""Results of screenings made for tests, and plain counts of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from eligibility.docket.result_file import ResultFile
from eligibility.docket.results import COLUMNS, LISTS
from eligibility.docket.tables import result_schema, write_rows

Entry = dict[str, Any]
OUTCOMES = ("return_to_cure", "eligible", "mandatory_transfer", "not_eligible", "need_info")
RULES = ("XB-06", "XB-07", "XB-09", "XQ-01", "XQ-08", "XQ-19")
FACTS = ("overload_only", "filing_date", "properties[0].seizure_rank", "properties[1].seizure_rank")
COURTS = ("js-yancheng-yandu", "盐都法院", "阜宁法院", "不知何处法院", None)


def row(
    case_no: str | None, outcome: str = "eligible", court: Any = "盐都法院", **more: Any
) -> Entry:
    """One row of a result; ``rules``, ``facts`` and ``error`` for short."""
    out: Entry = {column: [] if column in LISTS else None for column in COLUMNS}
    out |= {"case_no": case_no, "court_id": court}
    if "error" in more:
        return out | {"error": more["error"]}
    possible = more.pop("possible", [outcome])
    out |= {"outcome": outcome, "possible_outcomes": possible}
    out |= {"effective_rules": more.pop("rules", []), "unknown_facts": more.pop("facts", [])}
    return out | more


def written(path: Path, rows: list[Entry], size: int = 1000) -> ResultFile:
    """The rows as a file of the kind that its name says, in batches of a size."""
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    write_rows(path, path.suffix, batches, result_schema())
    return ResultFile(path)


def made_up(random: Random, count: int, numbers: int) -> list[Entry]:
    """Rows with few numbers, so that some stand twice, some not at all and some on both sides."""
    out = []
    for _ in range(count):
        number = f"（2025）执{random.randrange(numbers)}号" if random.random() > 0.02 else None
        court = random.choices(COURTS, (60, 20, 10, 5, 5))[0]
        if random.random() < 0.05:
            error = (
                f"d.csv:{random.randrange(99)}: filing_date: no_such_date: 日历上没有 / no such day"
            )
            out.append(row(number, court=court, error=error))
            continue
        outcome = random.choice(OUTCOMES)
        open_ = outcome == "need_info"
        out.append(
            row(
                number,
                outcome,
                court,
                possible=sorted(random.sample(OUTCOMES[:4], 2)) if open_ else [outcome],
                rules=sorted(random.sample(RULES, random.randrange(4))),
                facts=sorted(random.sample(FACTS, random.randint(1, 3))) if open_ else [],
            )
        )
    return out


# --- differences, case by case --------------------------------------------------------------------


def place(entry: Entry) -> Any:
    known = {"盐都法院": "js-yancheng-yandu", "阜宁法院": "js-yancheng-funing"}
    return known.get(entry["court_id"], entry["court_id"])


def kind_of(was: Entry, now: Entry, moved: bool) -> str:
    if moved:
        return "court_changed"
    if was["error"] or now["error"]:
        if was["error"] and now["error"]:
            return "same"
        return "now_rejected" if now["error"] else "now_judged"
    if was["outcome"] != now["outcome"]:
        cured = was["outcome"] == "return_to_cure"
        cured = cured and now["outcome"] in ("eligible", "mandatory_transfer")
        return "cured" if cured else "outcome_changed"
    lists = ("effective_rules", "unknown_facts", "possible_outcomes")
    return "reasons_changed" if any(set(was[k]) != set(now[k]) for k in lists) else "same"


def change(was: Entry, now: Entry, column: str) -> list[list[str]]:
    if was["error"] or now["error"]:
        return [[], []]
    one, other = set(was[column]), set(now[column])
    return [sorted(other - one), sorted(one - other)]


def differences(before: list[Entry], after: list[Entry]) -> list[tuple[Any, ...]]:
    """Kind, number, court, court before, rules and facts that came and went; nothing fast."""
    sides = [[r for r in rows if r["case_no"] is not None] for rows in (before, after)]
    counts = [Counter((r["case_no"], place(r)) for r in rows) for rows in sides]
    twice = {key for count in counts for key, n in count.items() if n > 1}
    one, other = (
        {key: r for r in rows if (key := (r["case_no"], place(r))) not in twice} for rows in sides
    )
    gone, new = set(one) - set(other), set(other) - set(one)
    lost, found = Counter(k[0] for k in gone), Counter(k[0] for k in new)
    moved = {n for n in lost if lost[n] == 1 and found.get(n) == 1}
    out: list[tuple[Any, ...]] = []
    pairs = [(key, key) for key in set(one) & set(other)]
    for number in moved:
        (was,) = [k for k in gone if k[0] == number]
        (now,) = [k for k in new if k[0] == number]
        pairs.append((was, now))
    for was, now in pairs:
        a, b, at_other = one[was], other[now], was != now
        kind = kind_of(a, b, at_other)
        changed = [change(a, b, "effective_rules"), change(a, b, "unknown_facts")]
        out.append((kind, now[0], now[1], was[1] if at_other else None, *changed[0], *changed[1]))
    for kind, keys in (("new", new), ("gone", gone)):
        out += [(kind, n, c, None, [], [], [], []) for n, c in keys if n not in moved]
    return out
