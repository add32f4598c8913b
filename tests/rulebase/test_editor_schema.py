"""The schema that editors complete from accepts what ships and refuses a slip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from eligibility.cli.app import app
from eligibility.rulefiles import shipped

FILES = sorted(shipped("rules").rglob("*.yaml"))


class TextDates(yaml.SafeLoader):
    """Dates stay texts, as they are to an editor."""


TextDates.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.fixture(scope="module")
def validator() -> Any:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    return jsonschema.Draft202012Validator(json.loads(result.stdout))


def read(path: Path) -> Any:
    return json.loads(json.dumps(yaml.load(path.read_text("utf-8"), TextDates)))


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_shipped_files_fit(validator: Any, path: Path) -> None:
    assert [e.message for e in validator.iter_errors(read(path))] == []


@pytest.mark.parametrize("leaf", ["有可供执行财产为是", "有可供执行财产", {"全都": []}])
def test_slips_do_not(validator: Any, leaf: Any) -> None:
    rule = read(shipped("rules") / "national" / "mandatory.yaml")
    rule["规则"][0]["条件"] = leaf
    assert list(validator.iter_errors(rule))


def test_whole_sentences_are_offered(validator: Any) -> None:
    leaf = validator.schema["$defs"]["condition"]["oneOf"][0]
    assert "有可供执行财产 为 是" in leaf["anyOf"][0]["enum"]
