"""From a decision to closure over HTTP: events, duties, the ledger, deciding again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient
from icalendar import Calendar

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api import models_follow_up as models
from eligibility.api.decisions_model import Decision

NUMBERS = count(1)


def decided(client: TestClient, **facts: Any) -> tuple[str, str]:
    """A recorded case: its number and its decision."""
    case = {**CASE, "case_no": f"（2024）苏0902执{next(NUMBERS)}号", **facts}
    response = client.post("/v1/decisions", json={"case": case, "as_of": "2024-09-02"})
    assert response.status_code == 201, response.text
    return case["case_no"], response.json()["decision_id"]


def send(client: TestClient, case_no: str, kind: str, on: str, **rest: Any) -> Any:
    body = {"case_no": case_no, "type": kind, "on": on, **rest}
    return client.post("/v1/events", json=body)


def designate(client: TestClient, case_no: str) -> None:
    facts = {"decided_mode": "designate", "receiving_court": "阜宁法院"}
    assert send(client, case_no, "decided", "2024-09-10", facts=facts).status_code == 201


def states(client: TestClient, case_no: str, as_of: str) -> dict[str, str]:
    view = client.get(f"/v1/cases/{case_no}/follow-up", params={"as_of": as_of})
    assert view.status_code == 200, view.text
    models.CaseView.model_validate(view.json())
    return {f"{e['rule']}.{e['duty']}": e["state"] for e in view.json()["follow_ups"]}


def test_a_case_is_followed_from_decision_to_closure(client: TestClient) -> None:
    case_no, decision = decided(client)
    designate(client, case_no)
    answer = send(client, case_no, "served", "2024-09-21").json()
    models.EventAnswer.model_validate(answer)
    assert states(client, case_no, "2024-10-08")["XR-04.handover"] == "open"
    assert states(client, case_no, "2024-10-09")["XR-04.handover"] == "overdue"
    send(client, case_no, "handed_over", "2024-10-09")
    send(client, case_no, "filed", "2024-10-12")
    found = states(client, case_no, "2024-12-31")
    assert found["XR-04.handover"] == "done_late"
    assert found["XR-06.file"] == "done"
    send(client, case_no, "completed", "2024-12-20")
    view = client.get(f"/v1/decisions/{decision}/follow-up").json()
    assert view["since_decision"]["stale"]
    assert view["since_decision"]["outcome_now"] == "not_submittable"
    again = client.post(f"/v1/decisions/{decision}/reevaluate", params={"as_of": "2024-12-31"})
    assert again.status_code == 201
    Decision.model_validate(again.json())
    assert again.json()["follows"] == decision
    log = client.get("/v1/decisions", params={"case_no": case_no}).json()
    models.DecisionList.model_validate(log)
    assert [d["follows"] for d in log["decisions"]] == [None, decision]


def test_events_may_come_before_the_decision(client: TestClient) -> None:
    case_no = f"（2024）苏0902执{next(NUMBERS)}号"
    assert send(client, case_no, "served", "2024-09-20").status_code == 201
    case = {**CASE, "case_no": case_no}
    client.post("/v1/decisions", json={"case": case, "as_of": "2024-09-02"})
    designate(client, case_no)
    assert states(client, case_no, "2024-09-30")["XR-04.handover"] == "open"


def test_the_same_event_again_changes_nothing(client: TestClient) -> None:
    case_no, _ = decided(client)
    first = send(client, case_no, "served", "2024-09-20", id=f"{case_no}-1")
    second = send(client, case_no, "served", "2024-09-20", id=f"{case_no}-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["new"] is False
    assert second.json()["event"] == first.json()["event"]
    problem(send(client, case_no, "served", "2024-09-21", id=f"{case_no}-1"), 409, "event_conflict")


def test_one_event_sent_by_many_at_once_is_one_event(client: TestClient) -> None:
    case_no, _ = decided(client)
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: send(client, case_no, "served", "2024-09-20"), range(16))
        answers = [response.status_code for response in made]
    assert sorted(set(answers)) == [200, 201]
    assert answers.count(201) == 1


def test_a_correction_is_a_later_event(client: TestClient) -> None:
    case_no, _ = decided(client)
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-20", id=f"{case_no}-a")
    assert states(client, case_no, "2024-10-08")["XR-04.handover"] == "overdue"
    corrected = send(client, case_no, "served", "2024-09-21", corrects=f"{case_no}-a")
    assert corrected.status_code == 201
    assert states(client, case_no, "2024-10-08")["XR-04.handover"] == "open"
    view = client.get(f"/v1/cases/{case_no}/follow-up").json()
    served = [e["stands"] for e in view["events"] if e["type"] == "served"]
    assert sorted(served) == [False, True]


def test_a_correction_may_arrive_first(client: TestClient) -> None:
    case_no, _ = decided(client)
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-21", id=f"{case_no}-b", corrects=f"{case_no}-a")
    send(client, case_no, "served", "2024-09-20", id=f"{case_no}-a")
    assert states(client, case_no, "2024-10-08")["XR-04.handover"] == "open"


def test_misfits_are_named(client: TestClient) -> None:
    case_no, decision = decided(client)
    problem(send(client, case_no, "serve", "2024-09-20"), 422, "unknown_event")
    problem(send(client, case_no, "decided", "2024-09-20"), 422, "missing_fact")
    problem(send(client, case_no, "served", "2999-09-20"), 422, "out_of_range")
    problem(client.post("/v1/events", json={"type": "served", "on": "2024-09-20"}), 422)
    problem(client.post("/v1/events", json=[]), 422, "wrong_type")
    problem(
        client.post("/v1/events", content=b"{", headers={"content-type": "application/json"}), 400
    )
    lost = {"decision_id": "x", "type": "served", "on": "2024-09-20"}
    problem(client.post("/v1/events", json=lost), 404, "unknown_decision")
    other = {**lost, "decision_id": decision, "case_no": "别的案件"}
    problem(client.post("/v1/events", json=other), 422, "case_mismatch")
    problem(client.get("/v1/cases/没有的案件/follow-up"), 404, "unknown_case")
    problem(client.get("/v1/decisions/x"), 404, "unknown_decision")
    problem(client.get("/v1/follow-ups/x"), 404, "unknown_duty")


def test_the_ledger_is_searched_by_court_state_and_due_date(client: TestClient) -> None:
    case_no, _ = decided(client, court_id="响水法院")
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-21")
    asked = {"court": "响水法院", "as_of": "2024-10-09"}
    page = client.get("/v1/follow-ups", params=asked | {"state": "overdue"}).json()
    models.FollowUpList.model_validate(page)
    assert [(e["case_no"], e["rule"], e["due"]) for e in page["follow_ups"]] == [
        (case_no, "XR-04", "2024-10-08")
    ]
    before = client.get("/v1/follow-ups", params=asked | {"due_before": "2024-10-08"}).json()
    assert before["count"] == 0
    one = client.get(f"/v1/follow-ups/{page['follow_ups'][0]['id']}").json()
    models.LedgerEntry.model_validate(one)
    problem(client.get("/v1/follow-ups", params={"court": "没有的法院"}), 404, "unknown_court")
    problem(client.get("/v1/follow-ups", params={"state": "late"}), 422, "unknown_value")
    problem(client.get("/v1/follow-ups", params={"cursor": "!"}), 422, "bad_cursor")


def test_pages_of_the_ledger_join_without_gap_or_overlap(client: TestClient) -> None:
    case_no, _ = decided(client, court_id="建湖法院")
    designate(client, case_no)
    asked: dict[str, Any] = {"case_no": case_no, "as_of": "2024-10-09"}
    whole = client.get("/v1/follow-ups", params=asked).json()["follow_ups"]
    found, cursor = [], None
    while True:
        page = client.get(
            "/v1/follow-ups",
            params=asked | {"limit": 2} | ({"cursor": cursor} if cursor else {}),
        ).json()
        found += page["follow_ups"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == whole
    assert len(whole) > 4


def test_an_event_may_answer_a_duty(client: TestClient) -> None:
    case_no, _ = decided(client)
    designate(client, case_no)
    send(client, case_no, "assistance_requested", "2024-10-08", id=f"{case_no}-a1")
    send(client, case_no, "assistance_requested", "2024-10-09", id=f"{case_no}-a2")
    page = client.get("/v1/follow-ups", params={"case_no": case_no, "rule": "XR-07"}).json()
    second = next(e for e in page["follow_ups"] if e["starts"]["event"]["id"].endswith("a2"))
    body = {"type": "assistance_given", "on": "2024-10-10"}
    answer = client.post(f"/v1/follow-ups/{second['id']}/events", json=body)
    assert answer.status_code == 201, answer.text
    after = client.get("/v1/follow-ups", params={"case_no": case_no, "rule": "XR-07"}).json()
    by_start = {e["starts"]["event"]["id"][-2:]: e["state"] for e in after["follow_ups"]}
    assert by_start == {"a1": "lapsed", "a2": "done"}


@pytest.mark.parametrize("path", ["/v1/events/types", "/v1/courts"])
def test_lists_are_as_described(client: TestClient, path: str) -> None:
    shape = models.EventTypeList if "events" in path else models.CourtList
    found = client.get(path)
    assert found.status_code == 200
    shape.model_validate(found.json())
    assert found.json()["count"] > 10


def test_a_court_is_found_by_its_alias(client: TestClient) -> None:
    found = client.get("/v1/courts/阜宁法院").json()
    models.CourtEntry.model_validate(found)
    assert (found["id"], found["load"]["illustrative"]) == ("js-yancheng-funing", True)
    problem(client.get("/v1/courts/阜宁院"), 404, "unknown_court")


def test_a_court_is_measured_from_what_is_on_record(client: TestClient) -> None:
    case_no, _ = decided(client, court_id="东台法院", receiving_court="射阳法院")
    facts = {"decided_mode": "designate", "receiving_court": "射阳法院"}
    send(client, case_no, "decided", "2024-09-10", facts=facts)
    send(client, case_no, "filed", "2024-10-12", facts={"handled_by_leader": True})

    def progress() -> tuple[int | None, int | None]:
        found = client.get("/v1/courts/射阳法院/supervision", params={"period": "2024Q4"})
        models.Supervision.model_validate(found.json())
        every = {m["key"]: m for r in found.json()["rules"] for m in r["measures"]}
        share = every["progress_share"]
        return share["of"]["value"], share["per"]["value"]

    assert progress() == (None, 1)  # nobody said: unknown, not none
    told = {"substantive_progress": False}
    assert send(client, case_no, "feedback", "2024-11-20", facts=told).status_code == 201
    assert progress() == (0, 1)
    table = client.get(
        "/v1/courts/射阳法院/supervision", params={"period": "2024Q4", "format": "csv"}
    )
    assert table.headers["content-type"].startswith("text/csv")
    chart = client.get(
        "/v1/courts/射阳法院/supervision", params={"period": "2024Q4", "format": "svg"}
    )
    assert chart.text.startswith("<svg")
    problem(
        client.get("/v1/courts/射阳法院/supervision", params={"period": "24"}), 422, "bad_period"
    )


def test_a_court_subscribes_to_what_it_owes(client: TestClient) -> None:
    case_no, _ = decided(client, court_id="滨海法院")
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-21")
    feed = client.get("/v1/courts/滨海法院/calendar.ics")
    assert feed.headers["content-type"].startswith("text/calendar")
    entries = Calendar.from_ical(feed.content).walk("VEVENT")
    found = {str(e["SUMMARY"]): e.decoded("DTSTART") for e in entries}
    mine = {text: on for text, on in found.items() if case_no in text}
    (late,) = (text for text, on in mine.items() if on == date(2024, 10, 8))
    assert "逾期" in late


def again(client: TestClient, decision: str, as_of: str) -> Any:
    url = f"/v1/decisions/{decision}/reevaluate"
    return client.post(url, params={"as_of": as_of})


def test_deciding_again_rests_on_the_events_that_stand_whenever_they_arrive(
    client: TestClient,
) -> None:
    """Recorded before a re-evaluation, after it, or withdrawn since: the facts are the same."""
    case_no, decision = decided(client)
    suspended = {"id": f"s-{decision}"}
    send(client, case_no, "suspended", "2024-10-01", doc_no="（2024）苏0902执1号裁定", **suspended)
    assert again(client, decision, "2024-10-05").json()["outcome"] == "stayed"
    send(client, case_no, "suspended", "2024-10-01", corrects=suspended["id"], withdrawn=True)
    view = client.get(f"/v1/cases/{case_no}/follow-up", params={"as_of": "2024-10-10"}).json()
    assert view["since_decision"]["stale"] is True
    assert {c["fact"]: c["now"] for c in view["since_decision"]["changed"]} == {
        "procedure_status": "enforcing"
    }
    after = again(client, decision, "2024-10-10").json()
    assert after["outcome"] != "stayed"
    send(client, case_no, "suspended", "2024-10-03", doc_no="（2024）苏0902执1号裁定之二")
    assert again(client, decision, "2024-10-12").json()["outcome"] == "stayed"


def test_after_a_transfer_the_first_court_is_still_the_first_court(client: TestClient) -> None:
    case_no, decision = decided(client)
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-21")
    send(client, case_no, "handed_over", "2024-09-29")
    send(client, case_no, "filed", "2024-10-12")

    def owing() -> dict[str, Any]:
        url = f"/v1/cases/{case_no}/follow-up"
        rows = client.get(url, params={"as_of": "2024-12-31"}).json()["follow_ups"]
        return {f"{r['rule']}.{r['duty']}": r["who"]["court"] for r in rows}

    before = owing()
    assert again(client, decision, "2024-12-31").status_code == 201
    after = owing()
    shared = before.keys() & after.keys()
    assert "XR-04.supplement" in shared
    assert {name: after[name] for name in shared} == {name: before[name] for name in shared}


def test_nothing_is_recorded_for_a_day_that_has_not_come(client: TestClient) -> None:
    case_no, decision = decided(client)
    assert problem(again(client, decision, "2099-01-01"), 422)["code"] == "future_decision"
    assert again(client, decision, "9999-12-31").status_code == 422
    body = {"case": {**CASE, "case_no": case_no}, "as_of": "2099-01-01"}
    assert problem(client.post("/v1/decisions", json=body), 422)["code"] == "future_decision"
    tried = client.post("/v1/decisions", json=body, params={"dry_run": True})
    assert tried.status_code == 200


def test_an_event_is_corrected_once_and_its_correction_after_that(client: TestClient) -> None:
    case_no, decision = decided(client)
    names = [f"{n}-{decision}" for n in ("e", "c", "d")]
    send(client, case_no, "served", "2024-09-21", id=names[0])
    send(client, case_no, "served", "2024-09-25", id=names[1], corrects=names[0])
    other = send(client, case_no, "served", "2024-09-22", id=names[2], corrects=names[0])
    assert problem(other, 409)["code"] == "already_corrected"
    last = send(client, case_no, "served", "2024-09-22", id=names[2], corrects=names[1])
    assert last.status_code == 201
    view = client.get(f"/v1/cases/{case_no}/follow-up").json()
    assert {e["id"]: e["stands"] for e in view["events"]} == dict(
        zip(names, (False, False, True), strict=True)
    )
    circle = send(client, case_no, "served", "2024-09-22", id=names[0], corrects=names[2])
    assert problem(circle, 404)["code"] == "no_such_event"


def test_a_case_and_the_ledger_agree_on_a_day(client: TestClient) -> None:
    """Also where an event was corrected to a later day."""
    case_no, decision = decided(client)
    designate(client, case_no)
    send(client, case_no, "served", "2024-09-21", id=f"v-{decision}")
    send(client, case_no, "served", "2024-11-21", corrects=f"v-{decision}")
    for day in ("2024-09-30", "2024-10-25", "2024-12-31"):
        shown = states(client, case_no, day)
        rows = client.get("/v1/follow-ups", params={"case_no": case_no, "as_of": day, "limit": 100})
        listed = {f"{r['rule']}.{r['duty']}": r["state"] for r in rows.json()["follow_ups"]}
        for name in shown.keys() & listed.keys():
            assert listed[name] == shown[name], (day, name)


def test_a_notice_is_a_page_that_loads_nothing(client: TestClient) -> None:
    case_no, decision = decided(client)
    url = f"/v1/decisions/{decision}/notices"
    order = client.get(f"{url}/urge_order", params={"as_of": "2024-09-10", "until": "2024-12-31"})
    assert order.status_code == 200
    assert order.headers["content-type"].startswith("text/html")
    assert order.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<h1>督促执行令</h1>" in order.text
    assert case_no in order.text
    view = client.get(f"/v1/cases/{case_no}/follow-up", params={"as_of": "2024-09-20"}).json()
    (late,) = [e["id"] for e in view["follow_ups"] if e["state"] == "overdue"]
    letter = {"as_of": "2024-09-20", "duty": late}
    assert "执行监督函" in client.get(f"{url}/supervision_letter", params=letter).text
    for kind, query, status, code in (
        ("letter", {}, 404, "unknown_notice"),
        ("supervision_letter", {}, 422, "nothing_due"),
        ("supervision_letter", {"duty": "none"}, 404, "unknown_duty"),
        ("urge_order", {"as_of": "2024-09-01"}, 404, "unknown_decision"),
    ):
        answer = client.get(f"{url}/{kind}", params=query)
        assert problem(answer, status)["code"] == code
