"""Ranking of candidate courts by weighted factors (S78, S79), and how firm the first place is.

A score is the sum of weight times value over the factors. All reckoning is in whole numbers
over common denominators: equal courts are equal whatever the order of reckoning, and nothing is
rounded before it is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import lcm

Number = bool | int | float | Decimal | Fraction
Facts = Mapping[str, Number | None]  # factor -> value of one court, not negative; None = unknown

PERCENT = 100


@dataclass(frozen=True, slots=True)
class Criterion:
    """A factor as it counts in one ranking.

    ``better``: whether ``more`` or ``less`` of it is. ``weight``: not negative, on a scale that
    all criteria of a ranking share. ``flipped``: the value counts inversely, 1 − value.
    """

    factor: str
    better: str
    weight: Number
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What one factor brings a court; ``value`` and ``share`` in the units of the ranking."""

    factor: str
    raw: Number
    value: int
    share: int


@dataclass(frozen=True, slots=True)
class Place:
    """A court in a ranking. ``rank``: 1 + the courts that score more, so that ties share one."""

    court: str
    rank: int
    tied: bool
    score: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """``places``: the highest score first, ties by court. ``left_out``: factor -> the courts for
    which it is unknown. ``criteria``: those that count, their ``weights`` as whole numbers.

    Values are in units of 1/``unit``; shares and scores in units of 1/``whole``, so that the
    best score there can be is ``whole``.
    """

    places: tuple[Place, ...]
    criteria: tuple[Criterion, ...]
    weights: tuple[int, ...]
    unit: int
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def whole(self) -> int:
        return self.unit * (sum(self.weights) or 1)

    @property
    def gap(self) -> int | None:
        """First score less the second; None where there is no second court."""
        if len(self.places) < 2:
            return None
        return self.places[0].score - self.places[1].score


@dataclass(frozen=True, slots=True)
class Margin:
    """How far one weight may move, the others keeping their proportions, before the first
    place changes. ``weight``, ``low``, ``high`` in percent of the total; ``below`` and
    ``above``: the court that is first beyond that end, None where the end is 0 or 100.
    """

    factor: str
    weight: Fraction
    low: Fraction
    high: Fraction
    below: str | None
    above: str | None


def flip(criteria: Iterable[Criterion], factors: Iterable[str]) -> tuple[Criterion, ...]:
    """The criteria with these factors counting the other way.

    INVARIANT: flipping twice gives the same criteria.
    """
    names = frozenset(factors)
    return tuple(replace(c, flipped=c.flipped != (c.factor in names)) for c in criteria)


def rank(courts: Mapping[str, Facts], criteria: Sequence[Criterion]) -> Ranking:
    """The courts in order of their scores.

    No court gains or loses by silence: a factor that is unknown for a single court is left out
    for all of them, and the other weights take its place in proportion. Where no weight is
    left, every score is 0 and all courts share the first place.

    INVARIANT: neither the order of the courts nor that of their facts matters.
    INVARIANT: the shares of a court sum to its score.
    """
    names = sorted(courts)
    weighty = [c for c in criteria if c.weight > 0]
    left_out = {
        c.factor: unknown
        for c in weighty
        if (unknown := tuple(n for n in names if courts[n].get(c.factor) is None))
    }
    counting = tuple(c for c in weighty if c.factor not in left_out)
    weights = tuple(_whole_numbers([c.weight for c in counting]))
    raw = [[known for n in names if (known := courts[n][c.factor]) is not None] for c in counting]
    columns = [_column(column, c) for column, c in zip(raw, counting, strict=True)]
    unit = lcm(*(denominator for _, denominator in columns))
    scored = []
    for row, name in enumerate(names):
        parts = []
        for i, (numbers, denominator) in enumerate(columns):
            value = numbers[row] * (unit // denominator)
            parts.append(Part(counting[i].factor, raw[i][row], value, weights[i] * value))
        scored.append((sum(part.share for part in parts), name, tuple(parts)))
    return Ranking(tuple(_places(scored)), counting, weights, unit, left_out)


def _places(scored: list[tuple[int, str, tuple[Part, ...]]]) -> Iterable[Place]:
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    courts_with = Counter(score for score, _, _ in scored)
    number, last = 0, None
    for position, (score, name, parts) in enumerate(scored, 1):
        number = number if score == last else position
        last = score
        yield Place(name, number, courts_with[score] > 1, score, parts)


def _whole_numbers(numbers: Sequence[Number]) -> list[int]:
    """The numbers over their common denominator, which is left away."""
    ratios = [number.as_integer_ratio() for number in numbers]
    common = lcm(*(denominator for _, denominator in ratios))
    return [numerator * (common // denominator) for numerator, denominator in ratios]


def _column(raw: Sequence[Number], criterion: Criterion) -> tuple[list[int], int]:
    """What each value counts for, as numerators over one denominator: its part of the largest
    one, or, where less is better, the smallest one's part of it. Zero is as little as can be
    and counts 1.
    """
    numbers = _whole_numbers(raw)
    if criterion.better == "less":
        least = min(numbers, default=0)
        denominator = lcm(*(n for n in numbers if n))
        values = [denominator if n == least else least * denominator // n for n in numbers]
    else:
        values, denominator = numbers, max(numbers, default=0) or 1
    if criterion.flipped:
        values = [denominator - value for value in values]
    return values, denominator


def margins(ranking: Ranking) -> tuple[Margin, ...]:
    """Of each weight the closed interval within which the court now listed first stays first;
    none where there is one court, or one factor that nothing is weighed against.

    INVARIANT: within the interval no court scores more than that court; just outside it one
    does.
    """
    if len(ranking.places) < 2 or len(ranking.criteria) < 2:
        return ()
    return tuple(_margin(ranking, i) for i in range(len(ranking.criteria)))


def _margin(ranking: Ranking, index: int) -> Margin:
    """Every score is linear in the weight t (percent): t × value + (100 − t) × the mean of the
    other values. So is the lead over another court; it ends where its two parts are equal.
    """
    own, total = ranking.weights[index], sum(ranking.weights)
    first, others = ranking.places[0], total - own
    low, high = Fraction(0), Fraction(PERCENT)
    below: tuple[int, str] | None = None
    above: tuple[int, str] | None = None
    for place in ranking.places[1:]:
        ours, theirs = first.parts[index], place.parts[index]
        lead = (ours.value - theirs.value) * others
        rest = first.score - ours.share - place.score + theirs.share
        if lead >= 0 and rest >= 0:
            continue
        end, fall = Fraction(PERCENT * rest, rest - lead), -abs(lead - rest)
        if lead < 0 and (above is None or (end, fall, place.court) < (high, *above)):
            high, above = end, (fall, place.court)
        if lead > 0 and (below is None or (-end, fall, place.court) < (-low, *below)):
            low, below = end, (fall, place.court)
    return Margin(
        ranking.criteria[index].factor,
        Fraction(PERCENT * own, total),
        low,
        high,
        below[1] if below else None,
        above[1] if above else None,
    )
