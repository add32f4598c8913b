"""Steps about versions of the rule base: a service with records of its own decides by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pytest_bdd import given, parsers, then, when

from eligibility.api.app import create_app
from eligibility.api.service import Service, now
from eligibility.records import activations
from eligibility.rulefiles import load_rules, read_texts, shipped
from eligibility.settings import Settings
from scenarios.examination import Examination


class Serving:
    """A service, and the digests of its rule bases by version."""

    def __init__(self, folder: Path) -> None:
        base = load_rules()
        self.digests = {base.version: base.digest}
        app = create_app(base, Settings(data_dir=str(folder), log_key="k" * 40))
        self.service: Service = app.state.service
        self.client = TestClient(app)

    def publish(self, version: str, parameter: str, value: str) -> None:
        texts = {
            name: re.sub(r'(?m)^版本: ".*"$', f'版本: "{version}"', text)
            for name, text in read_texts(shipped("rules")).items()
        }
        stated = rf"({re.escape('{zh: ' + parameter)},[\s\S]*?\n    - 值: )\S+\n"
        changed = {
            n: re.sub(stated, rf"\g<1>{value}\n", text, count=1) for n, text in texts.items()
        }
        assert sum(changed[name] != texts[name] for name in texts) == 1, parameter
        found = self.service.follow_ups
        with found.database.begin() as connection:
            base, _ = activations.publish(connection, changed, now(), found.log_key)
        self.digests[base.version] = base.digest

    def send(self, examination: Examination, day: str, **more: Any) -> None:
        asked = {"case": examination.facts, "profile": examination.profile, "as_of": day, **more}
        answer = self.client.post("/v1/decisions", params={"explain": "full"}, json=asked)
        assert answer.status_code == 201, answer.text
        examination.decision = answer.json()

    def call(self, address: str, **body: Any) -> Any:
        answer = self.client.post(address, json=body) if body else self.client.post(address)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


@pytest.fixture(name="serving")
def fixture_serving(tmp_path: Path) -> Iterator[Serving]:
    made = Serving(tmp_path)
    with made.client:
        yield made


@given(parsers.parse('服务的现行规则库为"{version}"'))
def serves(serving: Serving, version: str) -> None:
    assert serving.service.rulebase.version == version


@given(parsers.parse('假设参数"{parameter}"定为"{value}"的规则库"{version}"已发布'))
def published(serving: Serving, parameter: str, value: str, version: str) -> None:
    serving.publish(version, parameter, value)


@given(parsers.parse('规则库"{version}"自"{day}"起启用'))
def activated(serving: Serving, version: str, day: str) -> None:
    address = f"/v1/rulebases/{serving.digests[version]}/activate"
    serving.call(address, by="测试", note="假设", effective_from=day)


@when(parsers.parse('向服务报送该案，审查基准日为"{day}"'))
def sent(serving: Serving, examination: Examination, day: str) -> None:
    serving.send(examination, day)


@when(parsers.parse('向服务报送该案，审查基准日为"{day}"，指名规则库"{version}"'))
def sent_for(serving: Serving, examination: Examination, day: str, version: str) -> None:
    serving.send(examination, day, rulebase=serving.digests[version])


@when("撤回最近一次启用")
def rolled_back(serving: Serving) -> None:
    serving.call("/v1/rulebases/rollback", by="测试")


@then(parsers.parse('所用规则库为"{version}"'))
def decided_by(serving: Serving, examination: Examination, version: str) -> None:
    used = {"version": version, "digest": serving.digests[version]}
    assert examination.answer["rulebase"] == used


@then("按记录重新计算该决定，结果相同")
def replayed(serving: Serving, examination: Examination) -> None:
    found = serving.call(f"/v1/decisions/{examination.answer['decision_id']}/replay")
    assert (found["identical"], found["differences"]) == (True, [])
