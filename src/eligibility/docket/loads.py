"""Which courts are overloaded: cases per officer against the mean of the province.

法院人案矛盾突出: 人均在办执行案件超过全省平均数乘以“人案矛盾倍数”. The figures come from the
register of the rule base or from a table of the province; figures made up for an example decide
nothing. Without both numbers of a court, or of any court of its province, the fact is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from eligibility.courts.register import Register
from eligibility.errors import EligibilityError, FactsError, Problem, Text, nearest
from eligibility.rulebase.model import Court, Rulebase
from eligibility.vocabulary.model import Fact, Type
from eligibility.vocabulary.values import Unfit, from_wire

HIGH = "high"
_NUMBER = Fact("number", Text("数", "number"), Type.INT, minimum=0, maximum=10_000_000)
_TEXT = Fact("text", Text("文字", "text"), Type.TEXT)
_COLUMNS = {
    "court_id": ("court_id", "现执行法院", "法院"),
    "officers": ("officers", "执行人员"),
    "open_cases": ("open_cases", "在办案件"),
    "high_court": ("high_court", "高级法院"),
}
NUMBERS = frozenset({*_COLUMNS["officers"], *_COLUMNS["open_cases"]})
"""The headings of numbers."""


@dataclass(frozen=True, slots=True)
class CourtLoad:
    """What a court has to do it with: 执行人员、在办案件; None = not known. ``province``: id of its
    high court, empty where it has none.
    """

    province: str
    officers: int | None
    open_cases: int | None


@dataclass(slots=True)
class Loads:
    """Loads by court: those of the register by id, others by the name that they were given."""

    rulebase: Rulebase
    courts: dict[str, CourtLoad]
    made_up: bool = False
    _means: dict[str, Decimal | None] = field(default_factory=dict)

    def overloaded(self, court: str, ratio: Decimal | None) -> bool | None:
        """Whether a court has more than ``ratio`` times its province's mean; None = unknown."""
        load = self.courts.get(court)
        if ratio is None or load is None or load.open_cases is None or not load.officers:
            return None
        if load.province not in self._means:
            self._means[load.province] = self.mean(load.province)
        mean = self._means[load.province]
        return None if mean is None else load.open_cases > ratio * mean * load.officers

    def counted(self, open_cases: Mapping[str, int]) -> Loads:
        """With the open cases of a complete docket for courts that have officers only."""
        courts = {
            name: replace(load, open_cases=open_cases[name])
            if load.open_cases is None and name in open_cases
            else load
            for name, load in self.courts.items()
        }
        return Loads(self.rulebase, courts, self.made_up)

    def mean(self, province: str) -> Decimal | None:
        """全省人均在办: cases over officers of all its courts; None where one is not known."""
        loads = {name: load for name, load in self.courts.items() if load.province == province}
        if not province or self.missing(province):
            return None
        cases = sum(load.open_cases or 0 for load in loads.values())
        officers = sum(load.officers or 0 for load in loads.values())
        return Decimal(cases) / officers if officers else None

    def missing(self, province: str) -> list[str]:
        """The courts of a province without figures: the mean cannot be known without them.

        Every ordinary court below the high court in the register, and every court of the table.
        """
        register = Register(self.rulebase.courts)
        high = self.rulebase.courts.get(province)
        below = {c.id for c in register.below(high) if not c.line} if high else set()
        below |= {name for name, load in self.courts.items() if load.province == province}
        nothing = CourtLoad("", None, None)
        found = ((name, self.courts.get(name, nothing)) for name in sorted(below))
        return [name for name, c in found if c.open_cases is None or c.officers is None]


def province_of(register: Register, court: Court) -> str:
    """The high court of a court, empty where it has none (最高法院)."""
    found = [c.id for c in (court, *register.superiors(court)) if c.level == HIGH]
    return found[0] if found else ""


def loads_of_register(rulebase: Rulebase) -> Loads:
    """The loads that the register states; ``made_up`` where some are examples and left out."""
    register, courts, made_up = Register(rulebase.courts), dict[str, CourtLoad](), False
    for court in rulebase.courts.values():
        load = court.load
        if load is None:
            continue
        if load.illustrative:
            made_up = True
            continue
        province = province_of(register, court)
        courts[court.id] = CourtLoad(province, load.officers, load.open_cases)
    return Loads(rulebase, courts, made_up)


def read_loads(rows: Iterable[tuple[str, Any]], rulebase: Rulebase) -> Loads:
    """The loads of a table of the province: rows with their places.

    Columns ``court_id`` (现执行法院, 法院), ``officers`` (执行人员), ``open_cases`` (在办案件) and,
    for courts that the register does not know, ``high_court`` (高级法院). Raises FactsError with
    every row that does not fit.
    """
    register, courts, problems = Register(rulebase.courts), dict[str, CourtLoad](), list[Problem]()
    for place, row in rows:
        try:
            name, load = _load(place, row, register)
        except EligibilityError as error:
            problems += error.problems
            continue
        if name in courts:
            said = Text(f"法院“{name}”写了两次", f"the court '{name}' stands twice")
            problems.append(Problem("duplicate_fact", said, place))
        courts[name] = load
    if problems:
        raise FactsError(problems)
    return Loads(rulebase, courts)


def _load(place: str, row: Any, register: Register) -> tuple[str, CourtLoad]:
    if isinstance(row, EligibilityError):
        raise row
    values = _values(place, row)
    name = values.get("court_id")
    if not name:
        said = Text("没有写明法院", "the court is missing")
        raise FactsError(Problem("missing_field", said, f"{place}: court_id"))
    court = register.find(name)
    if court is not None:
        province = province_of(register, court)
    else:
        high = register.find(values.get("high_court"))
        if high is None or high.level != HIGH:
            said = Text(
                f"法院名录中没有“{name[:80]}”，也没有写明其高级法院",
                f"the register has no court '{name[:80]}' and its high court is not named",
            )
            names = [c.label.zh for c in register.courts.values()]
            hint = nearest(name[:80], names)
            raise FactsError(Problem("unknown_court", said, f"{place}: court_id", "", hint))
        province = high.id
    officers, open_cases = values.get("officers"), values.get("open_cases")
    return court.id if court else name, CourtLoad(province, officers, open_cases)


def _values(place: str, row: Any) -> dict[str, Any]:
    """The columns of a row, typed; a column that is none of them is a problem."""
    words = {word: key for key, known in _COLUMNS.items() for word in known}
    out: dict[str, Any] = {}
    for word, raw in row.items() if isinstance(row, Mapping) else ():
        key = words.get(str(word).strip())
        if key is None:
            shown = str(word)[:80]
            said = Text(f"没有“{shown}”这一项", f"no field '{shown}'")
            raise FactsError(Problem("unknown_field", said, place, "", nearest(shown, list(words))))
        fact = _NUMBER if key in ("officers", "open_cases") else _TEXT
        try:
            out[key] = from_wire(fact, raw)
        except Unfit as error:
            raise FactsError(error.at(f"{place}: {key}")) from None
    return out
