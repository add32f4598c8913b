"""Who decides on a transfer, which courts may receive it, and what is known of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decision.courts import (
    APPLIED,
    DAY,
    YANCHENG,
    Facts,
    excluded,
    factor,
    found,
    ids,
    listing,
    warned,
)
from eligibility.decision.decide import Decider
from eligibility.rulebase.model import Load

# --- who decides ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "court"),
    [
        ({}, "js-yancheng"),
        ({"asked_court": "江苏高院"}, "js"),
        ({"asked_court": "最高法"}, "spc"),
        ({"asked_court": "某某法院"}, "js-yancheng"),
        ({"asked_court": "江苏高院", "deciding_court": "盐城中院"}, "js-yancheng"),
        ({"deciding_court": "成都中院"}, "js-yancheng"),
        ({"receiving_court": "灌南法院"}, "js-yancheng"),
        ({"receiving_court": "灌南法院", "decided_mode": "coordinate"}, "js"),
        ({"receiving_court": "青羊区法院", "decided_mode": "coordinate"}, "spc"),
        ({"decided_mode": "coordinate"}, "js-yancheng"),
    ],
)
def test_who_decides(decider: Decider, facts: Facts, court: str) -> None:
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", **facts})
    assert entry["decider"]["court"] == court
    assert entry["decider"]["why"]["zh"]
    assert entry["competent_court"] is None


@pytest.mark.parametrize("court", [None, "甲法院"])
def test_without_the_executing_court_nobody_is_guessed(decider: Decider, court: str | None) -> None:
    entry = found(decider, {**APPLIED, "court_id": court}, "js-yancheng")
    assert (entry["decider"], entry["ranked"], entry["excluded"]) == (None, [], [])
    assert [fact["fact"] for fact in entry["unknown"]] == ["court_id"]


def test_no_court_is_above_the_supreme_one(decider: Decider) -> None:
    entry = found(decider, {**APPLIED, "court_id": "最高法"})
    assert (entry["decider"], entry["unknown"], entry["ranked"]) == (None, [], [])


@pytest.mark.parametrize(
    ("facts", "court"),
    [
        ({"receiving_court": "灌南法院", "asked_court": "盐城中院"}, "js"),
        ({"receiving_court": "青羊区法院", "asked_court": "江苏高院"}, "spc"),
        ({"asked_court": "成都中院"}, "js-yancheng"),
        ({"receiving_court": "盐城中院", "asked_court": "连云港中院"}, "js-yancheng"),
        ({"receiving_court": "滨海法院", "asked_court": "阜宁法院"}, "js-yancheng"),
    ],
)
def test_the_wrong_court_is_told_the_right_one(decider: Decider, facts: Facts, court: str) -> None:
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", **facts})
    assert entry["competent_court"] == entry["decider"]
    assert entry["competent_court"]["court"] == court


def test_where_the_proposed_court_is_not_known_the_right_one_is_not_guessed(
    decider: Decider,
) -> None:
    facts = {"asked_court_may_decide": False, "court_id": "射阳法院", "receiving_court": "乙法院"}
    entry = found(decider, {**APPLIED, **facts})
    assert (entry["competent_court"], entry["ranked"]) == (None, [])
    assert [fact["fact"] for fact in entry["unknown"]] == ["receiving_court"]


# --- filters -------------------------------------------------------------------------------------


def test_the_candidates_are_the_peers_under_the_decider(decider: Decider) -> None:
    entry = found(decider, {**APPLIED, "court_id": "射阳法院"})
    assert sorted(ids(entry["ranked"])) == YANCHENG
    assert entry["excluded"] == []


def test_an_unknown_conflict_excludes_nobody_and_is_to_be_confirmed(decider: Decider) -> None:
    cleared = listing("阜宁法院", c_conflict=False)
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": cleared})
    open_facts = {
        court["court"]: [(f["fact"], f["rules"]) for f in court["to_confirm"]]
        for court in entry["ranked"]
    }
    assert open_facts.pop("js-yancheng-funing") == []
    assert len(open_facts) == 8
    assert set(map(str, open_facts.values())) == {"[('c_conflict', ['XP-02'])]"}


def test_a_conflict_on_record_excludes_with_its_reasons(decider: Decider) -> None:
    tied = listing("阜宁法院", c_conflict=True)
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": tied})
    assert excluded(entry) == {"js-yancheng-funing": ["XP-02"]}
    (rule,) = entry["excluded"][0]["rules"]
    assert [reason["zh"] for reason in rule["reasons"]] == ["有利害关系/受干预风险 为 是"]
    assert [reason["fact"] for reason in rule["reasons"]] == ["c_conflict"]
    assert rule["because"]["truth"] == "false"
    assert rule["citations"] == ["P3", "P6", "S9", "L13"]


@pytest.mark.parametrize(
    ("facts", "away"),
    [
        ({}, []),
        (
            {"prior_courts": ["阜宁法院", "大丰区人民法院"]},
            ["js-yancheng-dafeng", "js-yancheng-funing"],
        ),
        ({"prior_courts": ["无此法院"]}, []),
        ({"candidates": listing("射阳县法院")}, ["js-yancheng-sheyang"]),
        ({"candidates": listing("射阳县法院", c_previously_failed=False)}, []),
        (
            {
                "prior_courts": ["阜宁法院"],
                "candidates": listing("阜宁法院", c_previously_failed=False),
            },
            [],
        ),
    ],
)
def test_courts_that_had_the_case_are_out(decider: Decider, facts: Facts, away: list[str]) -> None:
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", **facts})
    assert excluded(entry) == {court: ["XP-02"] for court in away}


def test_where_earlier_courts_are_not_known_it_is_to_be_confirmed(decider: Decider) -> None:
    unknown = {key: value for key, value in APPLIED.items() if key != "prior_cross_count"}
    entry = found(decider, {**unknown, "court_id": "射阳法院"})
    assert {f["fact"] for c in entry["ranked"] for f in c["to_confirm"]} == {
        "c_conflict",
        "c_previously_failed",
    }


def test_a_profile_without_the_proposal_excludes_no_conflict(decider: Decider) -> None:
    bare = replace(decider.rulebase.profiles["national"], id="bare", adopts=frozenset())
    profiles = {**decider.rulebase.profiles, "bare": bare}
    plain = Decider(replace(decider.rulebase, profiles=profiles))
    tied = listing("阜宁法院", c_conflict=True)
    entry = found(plain, {**APPLIED, "court_id": "射阳法院", "candidates": tied}, "bare")
    assert entry["excluded"] == []
    assert {f["fact"] for c in entry["ranked"] for f in c["to_confirm"]} == set()


def test_a_court_out_of_reach_is_named_as_such(decider: Decider) -> None:
    named = listing("灌南法院", "南京海事法院", "连云港中院")
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": named})
    assert excluded(entry) == {
        "js-lianyungang": ["XP-01"],
        "js-lianyungang-guannan": ["XP-01"],
        "js-nanjing-maritime": ["XP-01"],
    }
    lacking = [len(made["rules"][0]["reasons"]) for made in entry["excluded"]]
    assert lacking == [2, 1, 2]


def test_the_decider_itself_may_be_listed(decider: Decider) -> None:
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": listing("盐城中院")})
    assert "js-yancheng" in ids(entry["ranked"])


def test_a_court_that_the_register_does_not_know_stays_to_be_confirmed(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院", "candidates": listing("阜宁县人名法院")}
    entry = found(decider, facts)
    stranger = next(court for court in entry["ranked"] if court["court"] is None)
    assert stranger["label"]["zh"] == "阜宁县人名法院"
    assert {f["fact"] for f in stranger["to_confirm"]} == {
        "c_within_deciding_jurisdiction",
        "c_same_level",
        "c_conflict",
        "c_previously_failed",
    }
    answer = decider.decide(facts, today=DAY, engine="native")
    (warning,) = [w for w in answer["warnings"] if w["code"] == "unknown_court"]
    assert warning["path"] == "candidates[0].c_court"
    assert "阜宁县人民法院" in warning["hint"]["zh"]


def test_where_nobody_is_left_the_higher_court_takes_it(decider: Decider) -> None:
    everyone = [{"c_court": court, "c_conflict": True} for court in YANCHENG]
    entry = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": everyone})
    assert (entry["ranked"], entry["rule"], entry["gap"]) == ([], None, None)
    assert sorted(excluded(entry)) == YANCHENG
    assert entry["elevation"]["court"] == "js-yancheng"
    one_left = found(decider, {**APPLIED, "court_id": "射阳法院", "candidates": everyone[:-1]})
    assert ids(one_left["ranked"]) == YANCHENG[-1:]
    assert one_left["elevation"] is None


# --- what is derived of a court ------------------------------------------------------------------


def staffing(decider: Decider, facts: Facts, **teams: tuple[str, ...]) -> Facts:
    """The staffing factor where the courts under 盐城中院 have these teams."""
    base = decider.rulebase
    courts = {
        key: replace(court, teams=teams.get(key.rpartition("-")[2], ("无关",)))
        for key, court in base.courts.items()
    }
    made = Decider(replace(base, courts=courts))
    entry = found(made, {**APPLIED, "court_id": "射阳法院", **facts})
    left_out = {f["factor"]: ids(f["unknown_for"]) for f in entry["left_out"]}
    if "staffing" in left_out:
        return {"unknown": left_out["staffing"]}
    return {c["court"]: factor(entry, c["court"], "staffing")["value"] for c in entry["ranked"]}


TAGS = {"complexity_tags": [], "obstacle_kinds": ["mass"]}


def test_a_team_counts_where_it_is_named_for_what_the_case_is(decider: Decider) -> None:
    facts = {**TAGS, "obligation_type": "delivery", "urge_result": "none"}
    got = staffing(decider, facts, funing=("涉众",), binhai=("交付财产(含腾退)", "专业技术"))
    assert {court for court, has in got.items() if has} == {
        "js-yancheng-funing",
        "js-yancheng-binhai",
    }


def test_a_team_for_something_else_does_not_count(decider: Decider) -> None:
    got = staffing(decider, TAGS, funing=("专业技术",), binhai=("危险设备/易燃易爆",))
    assert set(got.values()) == {False}


def test_a_team_for_what_is_not_known_of_the_case_is_not_known(decider: Decider) -> None:
    got = staffing(decider, {"obstacle_kinds": []}, funing=("涉众",))
    assert got == {"unknown": ["js-yancheng-funing"]}


def test_a_court_without_a_list_of_teams_is_not_known(decider: Decider) -> None:
    got = staffing(decider, TAGS, funing=())
    assert got == {"unknown": ["js-yancheng-funing"]}


def test_every_team_of_the_register_is_the_label_of_a_value(decider: Decider) -> None:
    """Else it could never count."""
    facts = decider.rulebase.vocabulary.facts.values()
    labels = {label.zh for fact in facts for label in fact.values.values()}
    teams = {team for court in decider.rulebase.courts.values() for team in court.teams}
    assert teams
    assert teams <= labels


def test_loads_that_are_made_up_are_pointed_out_where_they_count(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院"}
    assert warned(decider, facts).count("illustrative_load") == 1
    counted = [{"c_court": court, "c_cases_per_officer": 100} for court in YANCHENG]
    assert "illustrative_load" not in warned(decider, {**facts, "candidates": counted})
    partly = {**facts, "candidates": counted[1:]}
    assert "illustrative_load" in warned(decider, partly)
    marked = {c["court"] for c in found(decider, partly)["ranked"] if c["illustrative"]}
    assert marked == {YANCHENG[0]}
    # Where the load of one court is not known, no load takes part.
    stranger = {**facts, "candidates": listing("甲法院")}
    assert "illustrative_load" not in warned(decider, stranger)


def test_real_loads_are_not_pointed_out(decider: Decider) -> None:
    base = decider.rulebase
    real = Load(officers=10, open_cases=1000, on=DAY)
    courts = {key: replace(court, load=real) for key, court in base.courts.items()}
    made = Decider(replace(base, courts=courts))
    assert "illustrative_load" not in warned(made, {**APPLIED, "court_id": "射阳法院"})


def test_records_that_contradict_each_other_are_unknown(decider: Decider) -> None:
    twice = [
        {"c_court": "阜宁法院", "c_conflict": True, "c_special_team": True},
        {"c_court": "阜宁县人民法院", "c_conflict": False, "c_party_distance_km": 20},
    ]
    facts = {**APPLIED, "court_id": "射阳法院", "candidates": twice}
    entry, other = found(decider, facts), found(decider, {**facts, "candidates": twice[::-1]})
    assert entry == other
    assert "js-yancheng-funing" in ids(entry["ranked"])
    assert "contradictory_candidate" in warned(decider, facts)
    agreeing = [{**twice[0]}, {**twice[1], "c_conflict": True}]
    assert excluded(found(decider, {**facts, "candidates": agreeing})) == {
        "js-yancheng-funing": ["XP-02"]
    }


def test_a_record_without_a_court_is_pointed_out(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院", "candidates": [{"c_conflict": True}]}
    assert "unnamed_candidate" in warned(decider, facts)
    assert found(decider, facts)["excluded"] == []
