"""What must hold of every decision of the shipped rules, tried on random cases."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from eligibility.circuit.lower import CHANNEL
from eligibility.decision.assess import Assessment, assess
from eligibility.decision.decide import Decider
from eligibility.decision.questions import presumed
from eligibility.engines.diagram import Builder
from eligibility.engines.mdd import TERMINALS, Residual
from eligibility.errors import FactsError
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import read_texts, rules_folder
from eligibility.vocabulary.model import Type
from eligibility.vocabulary.reader import inputs_of
from oracle.generate import DAYS, CaseWriter, random_base
from oracle.subject import make_subject

PROFILES = ("national", "js-yancheng", "sc")
TODAY = DAYS[3]
Document = dict[str, Any]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def decider(shipped: Rulebase) -> Decider:
    return Decider(shipped)


def tried(
    decider: Decider, profile: str, seed: int, count: int, missing: float = 0.3, records: int = 2
) -> Iterator[tuple[Document, Assessment]]:
    """Random cases that make sense, with their assessments."""
    writer = CaseWriter(decider.rulebase, Random(seed), TODAY, usual=0.9)
    while count:
        payload = writer.payload(missing, records)
        payload.pop("asked_court", None)
        found = assessed(decider, payload, profile)
        if found is not None:
            count -= 1
            yield payload, found


def assessed(
    decider: Decider, payload: Document, profile: str, day: date = TODAY
) -> Assessment | None:
    try:
        return decider.assess(payload, day, profile, "native")
    except FactsError:
        return None


def body(decider: Decider, payload: Document, profile: str) -> Document:
    return decider.decide(payload, today=TODAY, as_of=TODAY, profile=profile, engine="native")


def places(payload: Document) -> list[tuple[str, Document]]:
    """Every part of a payload that holds facts, with the start of its paths."""
    out = [("", payload)]
    for key in ("properties", "debtors"):
        out += [(f"{key}[{i}].", record) for i, record in enumerate(payload.get(key, []))]
    return out


# --- knowing more --------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_one_fact_more(decider: Decider, shipped: Rulebase, profile: str) -> None:
    """A fact that nothing presumes only narrows; one that is presumed may turn an outcome."""
    random, added, narrowed, turned = Random(11), 0, 0, 0
    writer = CaseWriter(shipped, random, TODAY)
    for payload, before in tried(decider, profile, 12, 120, missing=0.4):
        listed = {entry["fact"] for entry in body(decider, payload, profile)["presumed"]}
        for _ in range(4):
            more = deepcopy(payload)
            _, store = random.choice(places(more))
            key = _state_one(writer, random, store, more)
            after = assessed(decider, more, profile) if key else None
            if after is None or not key:
                continue
            added += 1
            if not set(after.positions) <= set(before.positions):
                moved = {key, *_derived_from(key, shipped)}
                assert moved & listed, (key, payload)
                turned += 1
            narrowed += len(after.positions) < len(before.positions)
    assert added > 200
    assert narrowed > 5


@pytest.mark.parametrize("group", range(3))
def test_an_outcome_turns_only_through_what_is_presumed(group: int) -> None:
    """On random rules, in which much is closed, by leaf, by exemption and by definition."""
    added = turned = 0
    for seed in range(400 + group * 20, 420 + group * 20):
        subject = make_subject(random_base(seed, rules=8), "top", TODAY)
        writer, random = subject.writer(seed), Random(seed)
        for read in subject.cases(seed, 25, missing=0.5):
            before = assess(subject.program, read.case, TODAY, "native")
            listed = {entry["fact"] for entry in presumed(before, before.question())}
            more = deepcopy(read.payload)
            _, store = random.choice(places(more))
            key = _state_one(writer, random, store, more)
            after = subject.read(more) if key else None
            if after is None:
                continue
            now = assess(subject.program, after.case, TODAY, "native")
            added += 1
            if before.exact and not set(now.positions) <= set(before.positions):
                assert {key, *_derived_from(key, subject.rulebase)} & listed, (seed, key, more)
                turned += 1
    assert added > 200
    assert turned


def _state_one(writer: CaseWriter, random: Random, store: Document, payload: Document) -> str:
    """State one more fact of a part of the case; its key."""
    scope = "case" if store is payload else "property"
    if any(store is debtor for debtor in payload.get("debtors", [])):
        scope = "debtor"
    facts = [
        fact
        for fact in writer.facts[scope]
        if fact.key not in store
        and fact.derive is None
        and fact.sole is None  # what the only record of a kind is goes without saying
        and fact.type is not Type.TEXT
    ]
    if not facts:
        return ""
    fact = random.choice(facts)
    store[fact.key] = writer.value(fact)
    return fact.key


def _derived_from(key: str, rulebase: Rulebase) -> set[str]:
    """Facts that are worked out from a fact, directly or not."""
    found: set[str] = set()
    grown = True
    while grown:
        grown = False
        for fact in rulebase.vocabulary.facts.values():
            sources = set(inputs_of(fact, rulebase.vocabulary))
            if fact.key not in found and sources & {key, *found}:
                found.add(fact.key)
                grown = True
    return found


# --- bars on reports -----------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_a_bar_on_reports_never_touches_a_party_application(
    shipped: Rulebase, profile: str
) -> None:
    """A proof: with the channel fixed, the diagram is the same with those bars and without."""
    program = make_subject(shipped, profile, TODAY).program
    engine, lowered = program.diagram, program.lowered
    bars = sum(1 << i for i, r in enumerate(lowered.rules) if r.layer == "report_bar")
    channel = next(i for i, one in enumerate(program.circuit.inputs) if one.fact == CHANNEL)
    regions = lowered.regions[channel]
    assert regions is not None
    assert bars
    for debtors, properties in ((1, 1), (2, 1), (1, 2)):
        shape = {"debtor": debtors, "property": properties}
        built = [Builder(engine, shape, off).build() for off in (0, bars)]
        assert built[0].variables == built[1].variables
        for name, same in (("party_application", True), ("court_report", False)):
            left = []
            for one in built:
                allowed = [(1 << count) - 1 for count in one.store.variables]
                for place, variable in enumerate(one.variables):
                    if variable.scope == "case" and variable.input == channel:
                        allowed[place] = regions.encode(name, TODAY)
                left.append(one.store.restrict(one.root, allowed))
            assert _same(*left) == same


def _same(one: Residual, two: Residual) -> bool:
    """Whether two reduced diagrams over the same variables are the same function."""
    pairs: dict[int, int] = {}
    stack = [(one.root, two.root)]
    while stack:
        a, b = stack.pop()
        if a < TERMINALS or b < TERMINALS:
            if a != b:
                return False
        elif a not in pairs:
            pairs[a] = b
            if one.store.var[a] != two.store.var[b]:
                return False
            stack.extend(zip(one.store.kids[a], two.store.kids[b], strict=True))
        elif pairs[a] != b:
            return False
    return True


# --- order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_order_of_facts_and_records_changes_nothing(decider: Decider, profile: str) -> None:
    random = Random(3)
    for payload, _ in tried(decider, profile, 21, 25, records=4):
        turned = dict(random.sample(list(payload.items()), len(payload)))
        one, other = body(decider, payload, profile), body(decider, turned, profile)
        assert json.dumps(one) == json.dumps(other)
        for key in ("properties", "debtors", "excluded_intervals"):
            if key in turned:
                turned[key] = random.sample(turned[key], len(turned[key]))
        assert essence(body(decider, turned, profile)) == essence(one), payload


def essence(decision: Document) -> Document:
    """A decision without the places of records."""
    return {
        **{key: decision[key] for key in ("outcome", "possible_outcomes", "exact", "changes_on")},
        "rules": [(r["id"], r["verdict"], r.get("effective")) for r in decision["rules"]],
        "questions": sorted(q["fact"] for q in decision["questions"]),
        "presumed": sorted((p["fact"], str(p["as"])) for p in decision["presumed"]),
        "modes": decision["modes"],
    }


def test_order_of_rules_in_files_changes_nothing(decider: Decider) -> None:
    random = Random(5)
    texts = read_texts(rules_folder())
    turned = {f"{random.random()}.yaml": _reordered(text, random) for text in texts.values()}
    assert sum(turned[a] != texts[b] for a, b in zip(turned, texts, strict=True)) >= 5
    other = Decider(load(turned))
    for profile in PROFILES:
        for payload, _ in tried(decider, profile, 31, 10):
            one, two = body(decider, payload, profile), body(other, payload, profile)
            del one["rulebase"], two["rulebase"]
            assert one == two, payload


def _reordered(text: str, random: Random) -> str:
    """A file of rules with its rules in another order; any other file as it is."""
    head, *rules = re.split(r"(?m)^(?=- (?:id|编号): X)", text)
    if not head.rstrip().endswith(("rules:", "规则:")):
        return text
    rules = [rule if rule.endswith("\n") else rule + "\n" for rule in rules]
    return head + "".join(random.sample(rules, len(rules)))


# --- the same again ------------------------------------------------------------------------------

_DIGESTS = """
import sys
sys.path[:0] = {path!r}
from properties.test_invariants import digests
print(digests())
"""


def digests() -> str:
    """One hash over full decisions of random cases."""
    from eligibility.rulefiles import load_rules

    decider, whole = Decider(load_rules()), hashlib.sha256()
    for profile in PROFILES:
        for payload, _ in tried(decider, profile, 41, 12, records=3):
            text = json.dumps(body(decider, payload, profile), ensure_ascii=False)
            whole.update(text.encode())
    return whole.hexdigest()


def test_the_same_bytes_in_every_process() -> None:
    program = _DIGESTS.format(path=[str(Path(__file__).resolve().parent.parent)])
    seen = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout.strip())
    assert len(seen) == 1
    assert len(seen.pop()) == 64


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_the_first_day_of_change_is_found(decider: Decider, profile: str) -> None:
    """Against every one of the next 400 days."""
    changed = 0
    for payload, found in tried(decider, profile, 51, 100, missing=0.1):
        told = body(decider, payload, profile)["changes_on"]
        if told is None and len(payload) % 5:
            continue  # of the cases that time leaves alone, some
        expected = None
        for later in range(1, 401):
            day = TODAY + timedelta(days=later)
            then = assessed(decider, payload, profile, day)
            if then is not None and then.outcomes != found.outcomes:
                expected = day
                break
        if expected is None:
            assert told is None or date.fromisoformat(told["date"]) > TODAY + timedelta(days=400)
        else:
            assert told is not None, payload
            assert told["date"] == expected.isoformat(), payload
            changed += 1
    assert changed >= 4


# --- what would have to change -------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_what_the_court_can_do_helps_whatever_is_unknown(decider: Decider, profile: str) -> None:
    """Deciding again with the steps taken: every outcome then possible is a better one."""
    ranks = {o.name: o.rank for o in decider.rulebase.outcomes}
    taken = 0
    for payload, found in tried(decider, profile, 61, 400, missing=0.1):
        entries = body(decider, payload, profile)["counterfactual"]["can_do"]
        _no_supersets(entries)
        worst = min(ranks[name] for name in found.outcomes)
        for entry in entries:
            if not entry["certain"]:
                continue
            after = assessed(decider, _taken(payload, entry["steps"]), profile)
            assert after is not None, (entry, payload)
            assert min(ranks[name] for name in after.outcomes) > worst, (entry, payload)
            taken += 1
    assert taken >= 5


def _no_supersets(entries: list[Document]) -> None:
    sets = [{(s["path"], json.dumps(s["to"])) for s in entry["steps"]} for entry in entries]
    for i, one in enumerate(sets):
        assert not any(i != j and other <= one for j, other in enumerate(sets)), entries


def _taken(payload: Document, steps: list[Document]) -> Document:
    """The case after some steps; a step that needs time is taken to lie that long ago."""
    changed = deepcopy(payload)
    for step in steps:
        value = step["to"]
        if step.get("wait_days"):
            value = (TODAY - timedelta(days=step["wait_days"] + 1)).isoformat()
        store = next(s for start, s in reversed(places(changed)) if step["path"].startswith(start))
        store[step["path"].split(".")[-1]] = value
    return changed


@pytest.mark.parametrize("profile", PROFILES)
def test_what_nobody_can_change_would_have_helped(decider: Decider, profile: str) -> None:
    """The same for facts as they are, derived ones set directly."""
    ranks = {o.name: o.rank for o in decider.rulebase.outcomes}
    taken = 0
    for payload, found in tried(decider, profile, 71, 60, missing=0.2):
        program = found.program
        entries = body(decider, payload, profile)["counterfactual"]["cannot_change"]
        _no_supersets(entries)
        worst = min(ranks[name] for name in found.outcomes)
        for entry in entries:
            names = _outcomes_with(found, entry["steps"])
            assert names, (entry, payload)
            assert min(ranks[name] for name in names) > worst, (entry, payload)
            taken += 1
        assert program is found.program
    assert taken >= 10


def _outcomes_with(found: Assessment, steps: list[Document]) -> set[str]:
    """The possible outcomes when some facts, derived or not, had other values."""
    from eligibility.vocabulary.values import from_wire

    program, derived = found.program, deepcopy(found.derived.facts)
    records = deepcopy(found.derived.records)
    lists = {k.list_key: k.name for k in program.lowered.rulebase.vocabulary.records.values()}
    for step in steps:
        fact = program.lowered.rulebase.vocabulary.facts[step["fact"]]
        match = re.fullmatch(r"(\w+)\[(\d+)\]\.\w+", step["path"])
        store = derived
        if match:
            store = records[lists[match[1]]][int(match[2])]
        elif fact.scope != "case":
            store = records[fact.scope][0]
        store[fact.key] = from_wire(fact, step["to"])
    changed = program.read(_Derived(found.derived.as_of, derived, records))  # type: ignore[arg-type]
    question = program.diagram.question(changed.inputs, changed.records, found.overridden)
    outcomes = program.lowered.outcomes
    return {outcomes[position].name for position in question.outcomes()}


class _Derived:
    """Facts as if derived."""

    def __init__(self, as_of: date, facts: Document, records: dict[str, list[Document]]) -> None:
        self.as_of, self.facts, self.records = as_of, facts, records


# --- questions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_answering_the_questions_settles_the_case(
    decider: Decider, shipped: Rulebase, profile: str
) -> None:
    """Whatever the answers: a case is open as long as there is something to ask, no longer."""
    writer = CaseWriter(shipped, Random(81), TODAY)
    answered = 0
    for payload, found in tried(decider, profile, 82, 25, missing=0.5, records=3):
        case, decision = deepcopy(payload), body(decider, payload, profile)
        for _ in range(60):
            if len(decision["possible_outcomes"]) == 1:
                break
            assert decision["questions"], case
            case = _answered(decider, writer, case, decision["questions"][0], profile)
            decision = body(decider, case, profile)
            answered += 1
        assert len(decision["possible_outcomes"]) == 1, case
        assert decision["questions"] == []
        assert found is not None
    assert answered > 20


def _answered(
    decider: Decider, writer: CaseWriter, case: Document, question: Document, profile: str
) -> Document:
    """The case with an answer that does not contradict it."""
    fact = decider.rulebase.vocabulary.facts[question["fact"]]
    for _ in range(200):
        more = deepcopy(case)
        store = next(s for start, s in reversed(places(more)) if question["path"].startswith(start))
        store[fact.key] = writer.value(fact)
        if assessed(decider, more, profile) is not None:
            return more
    raise AssertionError(f"no answer to {question['path']} fits {case}")
