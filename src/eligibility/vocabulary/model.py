"""Facts, records, clocks: the words in which a case is described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from eligibility.errors import EMPTY, NOWHERE, Span, Text

CASE: Final = "case"


class Type(StrEnum):
    """The type of a fact's value; money is integer fen inside and yuan on the wire."""

    BOOL = "bool"
    INT = "int"
    MONEY = "money"
    DECIMAL = "decimal"
    DATE = "date"
    ENUM = "enum"
    SET = "set"
    TEXT = "text"
    RECORDS = "records"


class _NeverHappened:
    """The value of an event date that is known not to have happened (``"none"``, 无)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NONE"

    def __reduce__(self) -> str:
        return "NONE"


NONE: Final = _NeverHappened()

Value = bool | int | Decimal | date | str | frozenset[str] | tuple[Any, ...] | _NeverHappened
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """Who can still change a fact, how (``act``/``document``) and to what.

    ``to``: values as a tuple, ``"known"`` for a date that may be set, ``"add"`` for a set,
    ``"other"`` for another court;
    ``then_wait`` names the parameter of days that must pass before the step tells.
    """

    by: str = "nobody"
    how: str = ""
    to: tuple[Any, ...] | str = ()
    then_wait: str = ""


NO_ACTION: Final = Action()


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``scope`` is ``case`` or the record kind it belongs to.

    ``event``: ``none`` (known not to have happened) is a value. ``future``: the date may
    lie after ``as_of``. ``derive``: ``(kind, argument)`` of a derivation. ``presume``: what
    derivations take silence for. ``rollup``: how a record's fact is read outside a
    quantifier. ``sole``: the value where there is only one record of its kind.
    """

    key: str
    label: Text
    type: Type
    scope: str = CASE
    unit: str = ""
    values: Mapping[str, Text] = field(default_factory=dict)
    event: bool = False
    future: bool = False
    minimum: int | None = None
    maximum: int | None = None
    many: bool = False
    derived: bool = False
    from_docket: bool = False
    derive: tuple[str, Any] | None = None
    presume: Value | None = None
    rollup: str = "any"
    sole: bool | None = None
    held_by: Text = EMPTY
    action: Action = NO_ACTION
    alias_of: str = ""
    note: Text = EMPTY
    span: Span = NOWHERE

    @property
    def can_be_none(self) -> bool:
        """Whether ``none`` (known not to have happened) is a value."""
        return self.type is Type.DATE and self.event

    def value_named(self, word: str) -> str | None:
        """The enum key for a key or Chinese label."""
        if word in self.values:
            return word
        for key, label in self.values.items():
            if label.zh == word:
                return key
        return None


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A kind of record: a debtor, a property, an interval.

    ``list_key`` is the key of the list in a case. ``fields`` describes records that are
    not facts themselves (intervals, overrides); otherwise the facts of that scope are the
    fields.
    """

    name: str
    label: Text
    list_key: str
    may_be_empty: bool = True
    fields: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clock:
    """A period of months from a date, less deducted intervals (执行程序解释 10, 13).

    ``deduct`` names a policy (``art13``, ``suspension_only``, ``none``) or a parameter
    (``$name``); ``after_transfer`` holds the facts and the parameter that say whether a
    transfer starts the clock anew; ``not_before`` names a clock whose start it cannot
    precede.
    """

    name: str
    label: Text
    start: str
    months: int = 6
    scope: str = CASE
    deduct: str = "art13"
    rollover: str = ""
    not_before: str = ""
    after_transfer: Mapping[str, str] | None = None
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All facts, record kinds and clocks of a rule base."""

    facts: Mapping[str, Fact]
    records: Mapping[str, RecordKind]
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    derived_facts: tuple[Fact, ...] = ()
    sole_facts: tuple[Fact, ...] = ()
    _labels: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._labels.update({f.label.zh: key for key, f in self.facts.items()})
        facts = self.facts.values()
        object.__setattr__(self, "derived_facts", tuple(f for f in facts if f.derive is not None))
        object.__setattr__(self, "sole_facts", tuple(f for f in facts if f.sole is not None))

    def named(self, word: str) -> Fact | None:
        """The fact with this key or Chinese label."""
        fact = self.facts.get(word)
        if fact is None:
            fact = self.facts.get(self._labels.get(word, ""))
        return fact

    def words(self) -> list[str]:
        """All keys and labels, for hints."""
        return [*self.facts, *self._labels]

    def court_facts(self) -> list[str]:
        """The facts whose values are courts: those that court derivations read."""
        kinds = ("court_may_decide", "profile_of_court", "differs")
        named: dict[str, None] = {}
        for fact in self.derived_facts:
            if fact.derive is not None and fact.derive[0] in kinds:
                argument = fact.derive[1]
                named.update(dict.fromkeys([argument] if isinstance(argument, str) else argument))
        return list(named)

    def of_scope(self, scope: str) -> Iterator[Fact]:
        return (f for f in self.facts.values() if f.scope == scope)

    def lists(self) -> dict[str, RecordKind]:
        """Record kinds by the key of their list in a case."""
        return {r.list_key: r for r in self.records.values()}

    def payload_scopes(self) -> tuple[str, ...]:
        """The scopes a case payload may hold: the case itself, its debtors, its properties."""
        return (CASE, "debtor", "property")
