"""The arithmetic of a ranking, against a plain reckoning in fractions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.courts.ranking import Criterion, Facts, Number, Ranking, flip, margins, rank

FACTORS = ("property", "caseload", "staffing", "distance")
PROPERTY, CASELOAD, STAFFING = (
    Criterion("property", "more", 40),
    Criterion("caseload", "less", 25),
    Criterion("staffing", "more", 20),
)
Courts = dict[str, dict[str, Number | None]]

numbers = st.one_of(
    st.booleans(),
    st.integers(0, 400),
    st.decimals(0, 400, places=2, allow_nan=False, allow_infinity=False),
)
values = st.one_of(numbers, numbers, numbers, st.none())
criteria_of_a_rule = st.lists(
    st.builds(
        Criterion,
        st.sampled_from(FACTORS),
        st.sampled_from(("more", "less")),
        st.one_of(st.integers(0, 100), st.decimals(0, 100, places=1)),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda c: c.factor,
)


def court_table(cell: st.SearchStrategy[Number | None]) -> st.SearchStrategy[Courts]:
    row = st.fixed_dictionaries(dict.fromkeys(FACTORS, cell))
    return st.dictionaries(st.sampled_from("abcdefgh"), row, min_size=1, max_size=6)


courts_known, courts_some_unknown = court_table(numbers), court_table(values)


def normalised(courts: Courts, criterion: Criterion, name: str) -> Fraction:
    """What a value counts for, straight from the definition."""
    column = [Fraction(row[criterion.factor] or 0) for row in courts.values()]
    own = Fraction(courts[name][criterion.factor] or 0)
    if criterion.better == "more":
        value = own / max(column) if max(column) else Fraction(0)
    else:
        value = Fraction(1) if own == min(column) else min(column) / own
    return 1 - value if criterion.flipped else value


def scores(courts: Courts, criteria: list[Criterion]) -> dict[str, Fraction]:
    known = [c for c in criteria if all(r[c.factor] is not None for r in courts.values())]
    total = sum(Fraction(c.weight) for c in known)
    return {
        name: sum(
            (Fraction(c.weight) / total * normalised(courts, c, name) for c in known if total),
            Fraction(0),
        )
        for name in courts
    }


def score(ranking: Ranking, name: str) -> Fraction:
    place = next(p for p in ranking.places if p.court == name)
    return Fraction(place.score, ranking.whole)


@given(courts_some_unknown, criteria_of_a_rule)
def test_scores_and_their_parts_are_those_of_the_definition(
    courts: Courts, criteria: list[Criterion]
) -> None:
    found, expected = rank(courts, criteria), scores(courts, criteria)
    assert {p.court: Fraction(p.score, found.whole) for p in found.places} == expected
    for place in found.places:
        assert sum(part.share for part in place.parts) == place.score
        assert 0 <= place.score <= found.whole
        for part, criterion in zip(place.parts, found.criteria, strict=True):
            value = Fraction(part.value, found.unit)
            assert value == normalised(courts, criterion, place.court)
            assert 0 <= value <= 1
            assert part.raw == courts[place.court][criterion.factor]


@given(courts_some_unknown, criteria_of_a_rule)
def test_the_order_is_by_score_then_id_and_equals_share_a_rank(
    courts: Courts, criteria: list[Criterion]
) -> None:
    expected = scores(courts, criteria)
    found = rank(courts, criteria)
    assert [p.court for p in found.places] == sorted(courts, key=lambda n: (-expected[n], n))
    for place in found.places:
        better = [n for n in courts if expected[n] > expected[place.court]]
        level = [n for n in courts if expected[n] == expected[place.court]]
        assert place.rank == 1 + len(better)
        assert place.tied == (len(level) > 1)


@given(courts_some_unknown, criteria_of_a_rule, st.randoms(use_true_random=False))
def test_the_order_of_courts_and_facts_does_not_matter(
    courts: Courts, criteria: list[Criterion], random: Random
) -> None:
    shuffled = {
        name: dict(random.sample(list(courts[name].items()), len(courts[name])))
        for name in random.sample(list(courts), len(courts))
    }
    assert rank(shuffled, criteria) == rank(courts, criteria)


@given(courts_known, criteria_of_a_rule, st.data())
def test_silence_about_one_court_takes_the_factor_from_all(
    courts: Courts, criteria: list[Criterion], data: st.DataObject
) -> None:
    silent = data.draw(st.sampled_from(sorted(courts)))
    factor = data.draw(st.sampled_from([c.factor for c in criteria]))
    heard = {n: {**row, factor: None} if n == silent else row for n, row in courts.items()}
    found = rank(heard, criteria)
    without = rank(courts, [c for c in criteria if c.factor != factor])
    assert (found.places, found.criteria) == (without.places, without.criteria)
    weighty = any(c.factor == factor and c.weight > 0 for c in criteria)
    assert found.left_out == ({factor: (silent,)} if weighty else {})


@given(courts_known, criteria_of_a_rule, st.sets(st.sampled_from(FACTORS)))
def test_flipping_twice_is_the_same_and_once_is_the_rest_to_one(
    courts: Courts, criteria: list[Criterion], factors: set[str]
) -> None:
    once = flip(criteria, factors)
    assert flip(once, factors) == tuple(criteria)
    assert flip(criteria, ()) == tuple(criteria)
    straight, turned = rank(courts, criteria), rank(courts, once)
    for place in straight.places:
        other = next(p for p in turned.places if p.court == place.court)
        for part, again in zip(place.parts, other.parts, strict=True):
            one, two = Fraction(part.value, straight.unit), Fraction(again.value, turned.unit)
            assert two == (1 - one if part.factor in factors else one)


@given(courts_known, criteria_of_a_rule, st.data())
def test_more_of_what_is_better_never_lowers_a_court(
    courts: Courts, criteria: list[Criterion], data: st.DataObject
) -> None:
    """Only the court itself is compared: others may fall, for it sets what is the most."""
    name = data.draw(st.sampled_from(sorted(courts)))
    criterion = data.draw(st.sampled_from(criteria))
    value = Fraction(courts[name][criterion.factor] or 0)
    up = criterion.better == "more"
    changed = value + 7 if up else value / 2
    better = {**courts, name: {**courts[name], criterion.factor: changed}}
    straight = [replace(c, flipped=False) for c in criteria]
    assert score(rank(better, straight), name) >= score(rank(courts, straight), name)


# --- how firm the first place is ------------------------------------------------------------------


def reweighted(criteria: tuple[Criterion, ...], factor: str, percent: Fraction) -> list[Criterion]:
    """One weight at so many percent of the total, the others in their old proportions."""
    own = next(Fraction(c.weight) for c in criteria if c.factor == factor)
    others = sum(Fraction(c.weight) for c in criteria) - own
    scale = (100 - percent) / others
    return [
        replace(c, weight=percent if c.factor == factor else Fraction(c.weight) * scale)
        for c in criteria
    ]


SLIGHTLY = Fraction(1, 10**40)


@given(courts_some_unknown, criteria_of_a_rule, st.fractions(0, 1))
def test_the_first_place_stays_within_the_interval_and_goes_just_outside(
    courts: Courts, criteria: list[Criterion], along: Fraction
) -> None:
    ranking = rank(courts, criteria)
    first = ranking.places[0].court
    several = len(courts) > 1 and len(ranking.criteria) > 1
    assert len(margins(ranking)) == (len(ranking.criteria) if several else 0)
    for margin in margins(ranking):
        assert 0 <= margin.low <= margin.weight <= margin.high <= 100
        assert (margin.below is None) <= (margin.low == 0)
        assert (margin.above is None) <= (margin.high == 100)
        inside = margin.low + along * (margin.high - margin.low)
        for percent in (margin.low, inside, margin.weight, margin.high):
            then = scores(courts, reweighted(ranking.criteria, margin.factor, percent))
            assert then[first] == max(then.values())
        for end, step, name in (
            (margin.low, -SLIGHTLY, margin.below),
            (margin.high, SLIGHTLY, margin.above),
        ):
            if name is None:
                continue
            beyond = reweighted(ranking.criteria, margin.factor, end + step)
            assert scores(courts, beyond)[name] > scores(courts, beyond)[first]
            if 0 <= end + step <= 100:
                assert rank(courts, beyond).places[0].court == name


# --- examples ---------------------------------------------------------------------------------


def order(courts: dict[str, Facts], *criteria: Criterion) -> list[tuple[str, int, Fraction]]:
    found = rank(courts, criteria)
    return [(p.court, p.rank, Fraction(p.score, found.whole)) for p in found.places]


def test_less_is_better_counts_from_the_least() -> None:
    courts: dict[str, Facts] = {"a": {"caseload": 200}, "b": {"caseload": 100}}
    assert order(courts, CASELOAD) == [("b", 1, Fraction(1)), ("a", 2, Fraction(1, 2))]


def test_nothing_at_all_is_as_little_as_can_be() -> None:
    courts: dict[str, Facts] = {"a": {"caseload": 0}, "b": {"caseload": 100}, "c": {"caseload": 0}}
    assert order(courts, CASELOAD) == [
        ("a", 1, Fraction(1)),
        ("c", 1, Fraction(1)),
        ("b", 3, Fraction(0)),
    ]


def test_where_nobody_has_any_nobody_gains() -> None:
    courts: dict[str, Facts] = {"a": {"property": 0}, "b": {"property": Decimal("0.00")}}
    assert [score for _, _, score in order(courts, PROPERTY)] == [0, 0]


def test_yes_counts_one_and_no_nothing() -> None:
    courts: dict[str, Facts] = {"a": {"staffing": False}, "b": {"staffing": True}}
    found = rank(courts, [STAFFING])
    assert [(p.court, p.score) for p in found.places] == [("b", found.whole), ("a", 0)]
    assert found.places[1].parts[0].raw is False


def test_equal_sums_are_equal_whatever_their_parts() -> None:
    """0.1 + 0.2 is 0.3 here."""
    criteria = [
        Criterion("property", "more", Decimal("0.1")),
        Criterion("caseload", "more", Decimal("0.2")),
        Criterion("staffing", "more", Decimal("0.3")),
    ]
    courts: dict[str, Facts] = {
        "a": {"property": True, "caseload": True, "staffing": False},
        "b": {"property": False, "caseload": False, "staffing": True},
    }
    found = rank(courts, criteria)
    assert [(p.court, p.rank, p.tied) for p in found.places] == [("a", 1, True), ("b", 1, True)]
    assert found.gap == 0


def test_where_nothing_is_known_of_all_courts_nobody_is_first() -> None:
    courts: dict[str, Facts] = {"b": {"property": 1}, "a": {}}
    found = rank(courts, [PROPERTY, CASELOAD])
    assert [(p.court, p.rank, p.score) for p in found.places] == [("a", 1, 0), ("b", 1, 0)]
    assert found.left_out == {"property": ("a",), "caseload": ("a", "b")}
    assert margins(found) == ()


def test_a_weight_of_zero_counts_for_nothing_and_is_not_missed() -> None:
    courts: dict[str, Facts] = {"a": {"caseload": 1}, "b": {"caseload": 2}}
    found = rank(courts, [Criterion("property", "more", 0), CASELOAD])
    assert [c.factor for c in found.criteria] == ["caseload"]
    assert found.left_out == {}


def test_no_court_no_place() -> None:
    found = rank({}, [PROPERTY])
    assert (found.places, found.gap, margins(found)) == ((), None, ())


def test_the_weight_at_which_a_lower_load_outweighs_the_property() -> None:
    """The court of the property has half the relief: even at one third of the weight."""
    courts: dict[str, Facts] = {
        "here": {"property": 1, "caseload": 200},
        "there": {"property": 0, "caseload": 100},
    }
    found = rank(courts, [PROPERTY, CASELOAD])
    by_property, by_caseload = margins(found)
    assert [by_property.low, by_property.high] == [Fraction(100, 3), Fraction(100)]
    assert (by_property.below, by_property.above) == ("there", None)
    assert [by_caseload.low, by_caseload.high] == [Fraction(0), Fraction(200, 3)]
    assert (by_caseload.below, by_caseload.above) == (None, "there")
    assert by_property.weight == Fraction(4000, 65)


@pytest.mark.parametrize("name", ["b", "c"])
def test_of_two_that_take_over_at_once_the_faster_one_is_named(name: str) -> None:
    other = "c" if name == "b" else "b"
    courts: dict[str, Facts] = {
        "a": {"property": Decimal("0.5"), "staffing": Decimal("0.8")},
        name: {"property": 1, "staffing": Decimal("0.4")},
        other: {"property": Decimal("0.75"), "staffing": Decimal("0.6")},
        "d": {"property": Decimal("0"), "staffing": 1},
    }
    found = rank(courts, [Criterion("property", "more", 40), Criterion("staffing", "more", 60)])
    assert found.places[0].court == "a"
    assert margins(found)[0].above == name
