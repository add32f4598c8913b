"""How courts are compared, as data: factors of a ranking, measures of a period.

Neither decides a case: a ranking advises which court to choose, a measure shows a court and
a period.
"""

from __future__ import annotations

from dataclasses import dataclass

from eligibility.errors import NOWHERE, Span, Text
from eligibility.rulebase.conditions import Param

Limit = int | Param


@dataclass(frozen=True, slots=True)
class Factor:
    """One aspect of a candidate court; ``better`` says whether ``more`` or ``less`` of it is."""

    name: str
    label: Text
    fact: str
    better: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a court and period: ``of`` alone, or its share of ``per``.

    ``at_least``/``at_most`` draw a line; under ``suppress_under`` cases of ``per`` nothing
    is shown but the counts. ``by_rule`` breaks the figure down by rules.
    """

    key: str
    label: Text
    of: str
    per: str = ""
    at_least: Limit | None = None
    at_most: Limit | None = None
    suppress_under: Limit | None = None
    by_rule: tuple[str, ...] = ()
    span: Span = NOWHERE
