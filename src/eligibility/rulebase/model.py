"""A rule base as typed data: rules, parameters, sources, profiles, outcomes, modes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.calendars import WorkingCalendar
from eligibility.errors import EMPTY, NOWHERE, NotFound, Problem, Span, Text, nearest
from eligibility.rulebase.comparisons import Factor, Measure
from eligibility.rulebase.conditions import All, Condition, Over, Param
from eligibility.rulebase.duties import Duty, EventType, Instrument, Role
from eligibility.rulebase.language import Names
from eligibility.vocabulary.model import Vocabulary


@dataclass(frozen=True, slots=True)
class Period:
    """When something holds in law; open-ended where a date is None. ``until`` is inclusive."""

    start: date | None = None
    until: date | None = None
    note: Text = EMPTY

    def covers(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (
            self.until is None or day <= self.until
        )


ALWAYS = Period()
ALWAYS_TRUE = All(())
DECIDING = ("qualify", "bar")
"""The kinds of rules that decide a case; the others say what follows, where to, how well."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written. Attributes are explained in ``docs/rule-language.md``.

    ``layer`` is empty and ``when`` may be left out (always) in rules that decide no case:
    ``require`` (``duties``), ``prefer`` (``hard``, ``weights``, ``flips``), ``supervise``
    (``measures``).
    """

    id: str
    title: Text
    kind: str
    layer: str
    profile: str
    when: Condition = ALWAYS_TRUE
    unless: Condition | None = None
    over: Over | None = None
    grants: str = ""
    effect: str = ""
    modes: tuple[str, ...] = ()
    channel: frozenset[str] = frozenset()
    on_unknown: Mapping[str, str] = field(default_factory=dict)
    defeats: tuple[str, ...] = ()
    defeats_layers: tuple[str, ...] = ()
    advisory: bool = False
    set_level: bool = False
    in_stay: str = ""
    duties: tuple[Duty, ...] = ()
    hard: bool = False
    weights: Mapping[str, Param] = field(default_factory=dict)
    flips: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    period: str = ""
    cure: Text = EMPTY
    override_by: tuple[str, ...] = ()
    exception: Text = EMPTY
    consequence: Text = EMPTY
    note: Text = EMPTY
    basis: str = "proposed"
    proposed_parts: tuple[Text, ...] = ()
    ground: Text = EMPTY
    citations: tuple[str, ...] = ()
    effective: Period = ALWAYS
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Definition:
    """A named finding over the case or over one record, used as a bool fact."""

    key: str
    title: Text
    scope: str
    when: Condition
    basis: str
    ground: Text
    citations: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ParameterValue:
    value: Any
    effective: Period
    profile: str
    basis: str
    ground: Text
    citations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number or choice with dated values, each with its own basis."""

    key: str
    label: Text
    type: str
    values: tuple[ParameterValue, ...]
    unit: str = ""
    choices: Mapping[str, Text] = field(default_factory=dict)
    set_by: Text = EMPTY
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Source:
    """A cited text; ``quotes`` are verbatim passages."""

    id: str
    title: Text
    kind: str
    locator: str
    quotes: tuple[str, ...]
    url: str = ""
    gloss: Text = EMPTY
    note: Text = EMPTY
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """A layer of policy. ``adopts`` is None where it inherits from the layer above."""

    id: str
    label: Text
    extends: str = ""
    adopts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class OutcomeDef:
    """An outcome in order: the rules whose effectiveness makes it hold; empty = always."""

    name: str
    label: Text
    rank: int
    when: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layer:
    name: str
    label: Text
    defeasible: bool = True
    channels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode of crossing; modes stand in order of intrusiveness, least first."""

    name: str
    label: Text
    decided_by: str
    instrument: Text
    power_moves: bool
    set_level: bool
    insufficient_when: Condition | None
    when_insufficient: Text


@dataclass(frozen=True, slots=True)
class Load:
    """What a court has to do it with, as counted on a day; None = not known.

    ``capacity``: cases that it may still be given. ``illustrative``: made up for an example,
    which every answer that rests on it says.
    """

    officers: int | None = None
    open_cases: int | None = None
    capacity: int | None = None
    on: date | None = None
    illustrative: bool = False


@dataclass(frozen=True, slots=True)
class Court:
    """A court of the register. ``line`` names the line of a specialised court (海事, 铁路),
    which has superiors of its own; ``site`` is latitude and longitude in degrees.
    """

    id: str
    label: Text
    level: str
    parent: str
    profile: str
    line: str = ""
    aliases: tuple[str, ...] = ()
    district: str = ""
    site: tuple[Decimal, Decimal] | None = None
    teams: tuple[str, ...] = ()
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """Facts that cannot be true together: input that says so is refused."""

    id: str
    scope: str
    never: Condition
    message: Text


@dataclass(frozen=True, slots=True)
class Rulebase:
    """Everything of a rule base, whole and checked.

    ``digest`` identifies the content (``sha256:…``); ``warnings`` are findings of
    :mod:`eligibility.rulebase.checks` that do not make it unusable.
    """

    version: str
    vocabulary: Vocabulary
    names: Names
    layers: Mapping[str, Layer]
    outcomes: tuple[OutcomeDef, ...]
    outcome_labels: Mapping[str, Text]
    channels: Mapping[str, Text]
    modes: Mapping[str, Mode]
    bodies: Mapping[str, Text]
    parameters: Mapping[str, Parameter]
    sources: Mapping[str, Source]
    profiles: Mapping[str, Profile]
    courts: Mapping[str, Court]
    roles: Mapping[str, Role]
    instruments: Mapping[str, Instrument]
    factors: Mapping[str, Factor]
    events: Mapping[str, EventType]
    definitions: Mapping[str, Definition]
    constraints: tuple[Constraint, ...]
    rules: Mapping[str, Rule]
    calendar: WorkingCalendar
    digest: str
    warnings: tuple[Problem, ...] = ()

    def profile(self, profile_id: str) -> Profile:
        if profile_id in self.profiles:
            return self.profiles[profile_id]
        raise NotFound(
            Problem(
                "unknown_profile",
                Text(f"没有适用辖区规则“{profile_id[:80]}”", f"no profile '{profile_id[:80]}'"),
                "profile",
                "",
                nearest(profile_id[:80], list(self.profiles)),
                tuple(self.profiles),
            )
        )

    def chain(self, profile_id: str) -> tuple[str, ...]:
        """The profile and the layers above it, most specific first."""
        out = []
        current = profile_id
        while current and current not in out:
            out.append(current)
            current = self.profile(current).extends
        return tuple(out)

    def adopted(self, profile_id: str) -> frozenset[str]:
        """Proposed rules that the profile adopts: the nearest ``adopts`` up the layers."""
        for name in self.chain(profile_id):
            adopts = self.profiles[name].adopts
            if adopts is not None:
                return adopts
        return frozenset()

    def rules_in_force(self, profile_id: str, as_of: date) -> Iterator[Rule]:
        """Rules that hold for a profile on a date in law, in order of id."""
        chain = self.chain(profile_id)
        adopted = self.adopted(profile_id)
        for rule_id in sorted(self.rules):
            rule = self.rules[rule_id]
            if rule.profile not in chain or not rule.effective.covers(as_of):
                continue
            if rule.basis == "proposed" and rule.id not in adopted:
                continue
            yield rule

    def parameters_at(self, profile_id: str, as_of: date) -> dict[str, Any]:
        """Every parameter with the value in force (None where there is none)."""
        return {key: self.parameter(key, profile_id, as_of) for key in self.parameters}

    def parameter(self, key: str, profile_id: str, as_of: date) -> Any:
        """The value in force: most specific profile first, then latest start."""
        found = self.parameter_value(key, profile_id, as_of)
        return None if found is None else found.value

    def parameter_value(self, key: str, profile_id: str, as_of: date) -> ParameterValue | None:
        chain = (*self.chain(profile_id), "")
        best: tuple[int, date] | None = None
        result = None
        for value in self.parameters[key].values:
            if value.profile not in chain or not value.effective.covers(as_of):
                continue
            rank = (-chain.index(value.profile), value.effective.start or date.min)
            if best is None or rank > best:
                best, result = rank, value
        return result

    def law_dates(self) -> tuple[date, ...]:
        """Every date on which some rule or parameter starts or has just ended."""
        days: set[date] = set()
        periods = [r.effective for r in self.rules.values()]
        periods += [v.effective for p in self.parameters.values() for v in p.values]
        for period in periods:
            if period.start:
                days.add(period.start)
            if period.until and period.until < date.max:
                days.add(date.fromordinal(period.until.toordinal() + 1))
        return tuple(sorted(days))
