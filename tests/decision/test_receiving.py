"""The receiving courts of a decision: when, in which order, and why."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decision.courts import (
    A_SET,
    APPLIED,
    DAY,
    INTERFERED,
    ORDINARY,
    YANCHENG,
    Facts,
    decider_profile,
    excluded,
    factor,
    found,
    ids,
    listing,
)
from eligibility.courts.register import Register
from eligibility.decision.decide import Decider
from eligibility.decision.receiving import culprits, receiving_courts
from eligibility.render.page import Page
from eligibility.render.receiving import CourtLines
from eligibility.render.words import Speaker

# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({**APPLIED, "application_received_date": "2024-08-30"}, "not_eligible"),
        ({**APPLIED, "procedure_status": "completed"}, "not_submittable"),
        ({**APPLIED, "title_content_clear": False}, "return_to_cure"),
        ({**APPLIED, "procedure_status": "suspended"}, "stayed"),
    ],
)
def test_where_nothing_may_be_moved_nobody_is_ranked(
    decider: Decider, facts: Facts, outcome: str
) -> None:
    facts = {**facts, "court_id": "射阳法院", "candidates": listing("阜宁法院")}
    if outcome == "not_eligible":
        facts["obstacle_kinds"] = []
    answer = decider.decide(facts, today=DAY, engine="native", profile="national")
    entry = answer["receiving_courts"]
    assert answer["outcome"] == outcome
    assert (entry["decider"], entry["ranked"], entry["excluded"]) == (None, [], [])


def test_an_open_outcome_that_may_move_the_case_is_prepared_for(decider: Decider) -> None:
    facts = {"court_id": "射阳法院", "main_property_court": "阜宁法院"}
    answer = decider.decide(facts, today=DAY, engine="native")
    assert answer["outcome"] == "need_info"
    assert "eligible" in answer["possible_outcomes"]
    assert ids(answer["receiving_courts"]["ranked"])[0] == "js-yancheng-funing"


def test_in_a_stay_only_what_may_be_prepared_is_ranked(decider: Decider) -> None:
    facts = {**A_SET, "procedure_status": "suspended"}
    assert found(decider, facts, "sc")["decider"] is None
    rules = decider.rulebase.rules
    sets = {key: replace(rules[key], in_stay="prepare") for key in ("XQ-12", "XQ-15")}
    made = Decider(replace(decider.rulebase, rules={**rules, **sets}))
    answer = made.decide(facts, today=DAY, engine="native", profile="sc")
    assert answer["outcome"] == "stayed"
    assert ids(answer["receiving_courts"]["ranked"])


def test_where_only_the_higher_court_may_take_it_nobody_else_is_ranked(decider: Decider) -> None:
    facts = {
        **ORDINARY,
        "request_channel": "ex_officio",
        "court_id": "天府新区法院",
        "complexity_tags": ["cross_province", "hazardous", "professional", "related_suits"],
        "obstacle_kinds": [],
    }
    answer = decider.decide(facts, today=DAY, engine="native")
    moving = {mode["mode"] for mode in answer["modes"] if mode["power_moves"]}
    entry = answer["receiving_courts"]
    assert moving == {"elevate"}
    assert entry["elevation"]["court"] == "sc-chengdu"
    assert (entry["ranked"], entry["excluded"]) == ([], [])


# --- the court of the main property --------------------------------------------------------------


def test_the_court_of_the_property_comes_first(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    entry = found(decider, facts)
    assert entry["rule"]["id"] == "XP-03"
    assert ids(entry["ranked"])[:2] == ["js-yancheng-funing", "js-yancheng-xiangshui"]
    assert factor(entry, "js-yancheng-funing", "main_property")["value"] == 1
    assert factor(entry, "js-yancheng-binhai", "main_property")["value"] == 0


def test_a_share_in_between_counts_only_where_it_is_given(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    given = [{"c_court": "滨海法院", "c_main_property_share": 0.25}]
    entry = found(decider, {**facts, "candidates": given})
    assert factor(entry, "js-yancheng-binhai", "main_property")["normalised"] == 0.25


def test_property_under_a_court_is_in_its_district(decider: Decider) -> None:
    """A city court has what lies in its counties; a county of a named city may have it."""
    facts = {**APPLIED, "court_id": "自贡中院", "main_property_court": "翠屏区法院"}
    entry = found(decider, facts)
    shares = {c: factor(entry, c, "main_property")["value"] for c in ("sc-yibin", "sc-chengdu")}
    assert shares == {"sc-yibin": 1, "sc-chengdu": 0}
    facts = {**APPLIED, "court_id": "射阳法院", "main_property_court": "盐城中院"}
    left_out = found(decider, facts)["left_out"]
    assert len(next(f for f in left_out if f["factor"] == "main_property")["unknown_for"]) == 9


def test_property_beyond_the_area_is_for_the_common_superior(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "阜宁法院", "asked_court": "盐城中院"}
    near = found(decider, {**facts, "main_property_court": "灌南法院"})
    assert excluded(near) == {"js-lianyungang-guannan": ["XP-01"]}
    assert "江苏省高级人民法院" in near["notes"][0]["zh"]
    assert "委托" not in near["notes"][0]["zh"]
    far = found(decider, {**facts, "main_property_court": "青羊区法院"})
    assert excluded(far) == {"sc-chengdu-qingyang": ["XP-01"]}
    assert "最高人民法院" in far["notes"][0]["zh"]
    assert "委托执行" in far["notes"][0]["zh"]
    assert found(decider, {**facts, "main_property_court": "滨海法院"})["notes"] == []
    higher = found(decider, {**facts, "asked_court": "江苏高院", "main_property_court": "灌南法院"})
    assert ids(higher["ranked"])[0] == "js-lianyungang-guannan"
    assert higher["notes"] == []


# --- interference --------------------------------------------------------------------------------


def test_interference_turns_the_place_of_the_property_round(decider: Decider) -> None:
    facts = {**INTERFERED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    entry = found(decider, facts)
    assert [rule["id"] for rule in entry["flipped"]] == ["XP-04"]
    assert entry["if_also"] == []
    assert factor(entry, "js-yancheng-funing", "main_property")["normalised"] == 0
    assert factor(entry, "js-yancheng-binhai", "main_property")["normalised"] == 1
    assert ids(entry["ranked"])[-1] == "js-yancheng-funing"


def test_without_interference_it_is_not_turned_round(decider: Decider) -> None:
    facts = {
        **APPLIED,
        "court_id": "射阳法院",
        "main_property_court": "阜宁法院",
        "interference_record": False,
        "debtor_class": "individual",
    }
    entry = found(decider, facts)
    assert (entry["flipped"], entry["if_also"]) == ([], [])
    assert ids(entry["ranked"])[0] == "js-yancheng-funing"


def test_where_interference_is_not_known_both_readings_are_given(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    entry = found(decider, facts)
    assert entry["flipped"] == []
    (reading,) = entry["if_also"]
    assert reading["id"] == "XP-04"
    assert [f["fact"] for f in reading["unknown"]] == ["interference_record", "debtor_class"]
    assert reading["changes_first"]
    told = found(decider, {**facts, "interference_record": True})
    assert reading["first"]["court"] == ids(told["ranked"])[0]


# --- sets ----------------------------------------------------------------------------------------


def test_a_set_goes_to_the_named_court_one_level_up(decider: Decider) -> None:
    entry = found(decider, {**A_SET, "main_property_court": "翠屏区法院"}, "sc")
    assert entry["decider"]["court"] == "sc"
    assert entry["rule"]["id"] == "XP-05"
    assert ids(entry["ranked"])[0] == "sc-yibin"
    assert entry["excluded"] == []


def test_of_a_set_only_direct_inferiors_one_level_up_may_lead(decider: Decider) -> None:
    facts = {**A_SET, "candidates": listing("成都中院", "四川高院", "盐城中院", "南京海事法院")}
    entry = found(decider, facts, "sc")
    assert {"sc-yibin", "sc-chengdu", "sc"} <= {*ids(entry["ranked"])}
    assert excluded(entry) == {"js-yancheng": ["XP-01"], "js-nanjing-maritime": ["XP-01"]}


def test_a_single_case_does_not_go_one_level_up_sideways(decider: Decider) -> None:
    facts = {**APPLIED, "court_id": "翠屏区法院", "asked_court": "四川高院"}
    entry = found(decider, {**facts, "candidates": listing("成都中院")})
    assert excluded(entry) == {"sc-chengdu": ["XP-01"]}


def test_of_a_set_the_property_counts_for_its_court_even_under_interference(
    decider: Decider,
) -> None:
    """XP-04 turns round what XP-03 says of single cases."""
    facts = {**A_SET, "main_property_court": "翠屏区法院", "debtor_class": "soe"}
    entry = found(decider, facts, "sc")
    assert (entry["flipped"], entry["if_also"]) == ([], [])
    assert ids(entry["ranked"])[0] == "sc-yibin"


def test_the_court_with_most_cases_leads(decider: Decider) -> None:
    counts = {"宜宾中院": 4, "富顺法院": 90, "大安区法院": 30}
    others = ("青羊区法院", "锦江区法院", "天府新区法院", "涪城区法院", "三台法院")
    candidates = [
        {"c_court": court, "c_case_count_of_debtor": counts.get(court, 0), "c_first_filed": False}
        for court in (*counts, *others)
    ]
    entry = found(decider, {**A_SET, "candidates": candidates}, "sc")
    assert ids(entry["ranked"])[0] == "sc-zigong-fushun"
    assert [f["factor"] for f in entry["left_out"]] == ["main_property"]


# --- reasons -------------------------------------------------------------------------------------


def test_the_reasons_are_the_leaves_that_decide_also_under_a_not() -> None:
    def leaf(fact: str, truth: str) -> Facts:
        return {"fact": fact, "truth": truth}

    tree = {
        "op": "all",
        "truth": "false",
        "children": [
            leaf("a", "true"),
            leaf("b", "unknown"),
            leaf("c", "false"),
            {"op": "not", "truth": "false", "children": [leaf("d", "true")]},
            {
                "op": "any",
                "truth": "false",
                "children": [leaf("e", "false"), leaf("f", "false")],
            },
            {"op": "not", "truth": "unknown", "children": [leaf("g", "unknown")]},
        ],
    }
    assert [found["fact"] for found in culprits(tree, "false")] == ["c", "d", "e", "f"]
    open_tree = {**tree, "truth": "unknown"}
    assert [found["fact"] for found in culprits(open_tree, "unknown")] == ["b", "g"]


# --- rules as data -------------------------------------------------------------------------------


def test_the_ranking_rule_of_the_nearer_layer_counts(decider: Decider) -> None:
    base = decider.rulebase
    general = base.rules["XP-03"]
    weights = {"caseload": general.weights["caseload"]}
    local = replace(general, id="XP-90", profile="js-yancheng", weights=weights)
    made = Decider(replace(base, rules={**base.rules, "XP-90": local}))
    facts = {**APPLIED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    entry = found(made, facts)
    assert entry["rule"]["id"] == "XP-90"
    assert ids(entry["ranked"])[0] == "js-yancheng-xiangshui"
    assert entry["sensitivity"] == []
    assert found(made, facts, "national")["rule"]["id"] == "XP-03"


def test_two_rules_that_turn_the_same_factor_round_do_not_undo_each_other(
    decider: Decider,
) -> None:
    base = decider.rulebase
    again = replace(base.rules["XP-04"], id="XP-91")
    made = Decider(replace(base, rules={**base.rules, "XP-91": again}))
    facts = {**INTERFERED, "court_id": "射阳法院", "main_property_court": "阜宁法院"}
    entry = found(made, facts)
    assert [rule["id"] for rule in entry["flipped"]] == ["XP-04", "XP-91"]
    assert entry["ranked"] == found(decider, facts)["ranked"]


def test_without_rules_that_rank_nobody_is_ranked(decider: Decider) -> None:
    base = decider.rulebase
    others = {key: rule for key, rule in base.rules.items() if rule.kind != "prefer"}
    entry = found(Decider(replace(base, rules=others)), {**APPLIED, "court_id": "射阳法院"})
    assert (entry["rule"], entry["ranked"], entry["elevation"]) == (None, [], None)


# --- invariants ----------------------------------------------------------------------------------

COURTS = [
    *YANCHENG,
    "js-yancheng-sheyang",
    "js-yancheng",
    "js-lianyungang-guannan",
    "js-nanjing-maritime",
    "sc-yibin",
    "甲法院",
    "乙法院",
]
truths = st.sampled_from([True, False, None])
records = st.fixed_dictionaries(
    {"c_court": st.sampled_from(COURTS)},
    optional={
        "c_conflict": truths,
        "c_previously_failed": truths,
        "c_same_level": truths,
        "c_within_deciding_jurisdiction": truths,
        "c_special_team": truths,
        "c_main_property_share": st.sampled_from([0, 0.5, 1]),
        "c_cases_per_officer": st.integers(1, 300),
        "c_party_distance_km": st.integers(0, 300),
    },
)
given_facts: dict[str, st.SearchStrategy[Any]] = {
    "court_id": st.sampled_from(["射阳法院", "阜宁法院", "翠屏区法院", "盐城中院"]),
    "candidates": st.lists(records, max_size=6, unique_by=lambda r: r["c_court"]),
}
cases = st.fixed_dictionaries(
    given_facts,
    optional={
        "asked_court": st.sampled_from(["盐城中院", "江苏高院", "四川高院"]),
        "receiving_court": st.sampled_from(["灌南法院", "滨海法院", "宜宾中院"]),
        "main_property_court": st.sampled_from(["灌南法院", "滨海法院", "青羊区法院", "甲法院"]),
        "interference_record": st.booleans(),
        "prior_courts": st.lists(st.sampled_from(["滨海法院", "甲法院"]), max_size=2),
    },
)
EXPLORED = settings(max_examples=60, deadline=None)


@EXPLORED
@given(facts=cases, random=st.randoms(use_true_random=False))
def test_every_candidate_is_ranked_or_excluded_and_order_does_not_matter(
    decider: Decider, facts: Facts, random: Random
) -> None:
    case = {**APPLIED, **facts}
    entry = found(decider, case)
    ranked, out = ids(entry["ranked"]), ids(entry["excluded"])
    assert len({*ranked, *out}) == len(ranked) + len(out)
    if ranked or out:
        register = decider.register
        executing = register.find(case["court_id"])
        chosen = register.find(entry["decider"]["court"])
        assert executing is not None
        assert chosen is not None
        peers = {court.id for court in register.peers(chosen, executing)}
        named = {record["c_court"] for record in case["candidates"]}
        extra = {register.find(case.get(k)) for k in ("receiving_court", "main_property_court")}
        beyond = {court.id for court in extra if court is not None}
        assert peers | named <= {*ranked, *out} <= peers | named | beyond
        assert bool(entry["elevation"]) >= (not ranked)
    shuffled = {**case, "candidates": random.sample(case["candidates"], len(case["candidates"]))}
    assert found(decider, shuffled) == entry
    courts = list(decider.rulebase.courts.values())
    turned = {court.id: court for court in random.sample(courts, len(courts))}
    profile = decider_profile(decider, case)
    assessment = decider.assess(case, DAY, profile, "native")
    assert receiving_courts(assessment, Register(turned))[0] == entry


@EXPLORED
@given(facts=cases)
def test_what_a_filter_refuses_is_never_ranked_and_what_it_asks_never_excludes(
    decider: Decider, facts: Facts
) -> None:
    """Of the facts that a caller gives of a court; they override what is derived."""
    entry = found(decider, {**APPLIED, **facts})
    refused = excluded(entry)
    ranked = dict(zip(ids(entry["ranked"]), entry["ranked"], strict=True))
    for record in facts["candidates"] if ranked or refused else ():
        name = record["c_court"]
        within = [record.get(k) for k in ("c_within_deciding_jurisdiction", "c_same_level")]
        tied = [record.get(k) for k in ("c_conflict", "c_previously_failed")]
        if False in within:
            assert "XP-01" in refused[name]
        if True in tied:
            assert "XP-02" in refused[name]
        if within == [True, True] and tied == [False, False]:
            assert ranked[name]["to_confirm"] == []
        if record.get("c_conflict") is None and name in ranked:
            assert "c_conflict" in {f["fact"] for f in ranked[name]["to_confirm"]}


@EXPLORED
@given(facts=cases)
def test_what_is_shown_adds_up(decider: Decider, facts: Facts) -> None:
    entry = found(decider, {**APPLIED, **facts})
    for court in entry["ranked"]:
        shares = [part["share"] for part in court["factors"]]
        assert sum(shares) == pytest.approx(court["score"], abs=3e-4)
        for part in court["factors"]:
            assert part["weight"] / 100 * part["normalised"] == pytest.approx(
                part["share"], abs=2e-4
            )
    if len(entry["ranked"]) > 1:
        first, second = entry["ranked"][:2]
        assert first["score"] - second["score"] == pytest.approx(entry["gap"], abs=2e-4)
    assert {f["factor"] for f in entry["left_out"]}.isdisjoint(
        part["factor"] for court in entry["ranked"] for part in court["factors"]
    )


# --- for people ----------------------------------------------------------------------------------


def page(entry: Facts, lang: str, full: bool = False) -> str:
    out = Page()
    CourtLines(out, Speaker(lang), full).add(entry)
    return out.text(400)


def test_it_reads_well(decider: Decider) -> None:
    facts = {
        **APPLIED,
        "court_id": "射阳法院",
        "main_property_court": "阜宁法院",
        "candidates": listing("滨海法院", c_conflict=True),
    }
    zh = page(found(decider, facts), "zh").splitlines()
    assert zh[:3] == [
        "  决定法院：江苏省盐城市中级人民法院（原执行法院的上一级法院）",
        "  排序规则：XP-03 两便原则综合排序 〔公开报道，其中属于建议：各项权重〕",
        "  1. 阜宁县人民法院  0.9808（主要财产所在地 0.6154 + 案件负荷 0.3654）",
    ]
    assert "  另有 3 家（--full 列出）" in zh
    assert "  ✗ 排除：滨海县人民法院  有利害关系/受干预风险 为 是  XP-02" in zh
    unknown = "有利害关系/受干预风险〔候选法院自查/回避申请〕"
    assert f"  · 各候选法院均待核实：{unknown}  XP-02" in zh
    assert len(page(found(decider, facts), "zh", full=True).splitlines()) == len(zh) + 2
    en = page(found(decider, facts), "en")
    assert "excluded: People's Court of Binhai County" in en
    assert not any("\u4e00" <= char <= "\u9fff" for char in en)


def test_a_wrong_court_reads_well(decider: Decider) -> None:
    facts = {"court_id": "阜宁法院", "receiving_court": "灌南法院", "asked_court": "盐城中院"}
    text = page(found(decider, {**APPLIED, **facts}), "zh")
    assert text.startswith(
        "  有决定权的法院：江苏省高级人民法院（原执行法院与拟指定法院的共同上级法院）\n"
    )


def test_what_must_be_known_reads_well(decider: Decider) -> None:
    text = page(found(decider, APPLIED, "national"), "zh")
    assert text == "  尚不能确定由谁决定，待查明：现执行法院〔办案系统承办法院〕\n"
