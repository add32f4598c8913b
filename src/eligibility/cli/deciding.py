"""``decide``: cases in, decisions out."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath
from typing import Annotated, Any

import typer

from eligibility.cli.output import (
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    day_named,
    emit,
    located,
    print_json,
    print_page,
    read_file,
    refuse,
    rules_of,
    today,
)
from eligibility.errors import EligibilityError

REQUEST = frozenset({"case", "profile", "as_of"})
FOR_PEOPLE = frozenset({"title", "source", "note", "expect"})


def decide(
    cases: Annotated[
        list[str],
        typer.Argument(metavar="CASE...", help="案件文件 JSON/YAML，- 为标准输入 / case files"),
    ],
    profile: Annotated[
        str | None, typer.Option("--profile", help="适用辖区规则 / profile, e.g. js-yancheng")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="审查基准日 / day of evaluation")
    ] = None,
    engine: Annotated[
        str,
        typer.Option("--engine", envvar="ELIGIBILITY_ENGINE", help="verified | native | durable"),
    ] = "verified",
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
    full: Annotated[
        bool, typer.Option("--full", help="列出全部规则与原文 / every rule, with sources")
    ] = False,
) -> None:
    """审查案件 / decide cases."""
    from eligibility.decision.decide import Decider
    from eligibility.decision.program import ENGINES
    from eligibility.render import decision_page

    if engine not in ENGINES:
        allowed = ", ".join(ENGINES)
        refuse("unknown_engine", f"没有引擎“{engine}”", f"no engine '{engine}': {allowed}")
    day = day_named(as_of, "--as-of")
    requests = [read_request(name) for name in cases]
    decider = Decider(rules_of(rules))
    answers = []
    try:
        for number, (name, request) in enumerate(zip(cases, requests, strict=True)):
            body = _decide(decider, name, request, profile, day, engine, full)
            if as_json:
                answers.append(body)
                continue
            page = decision_page(body, decider.rulebase, lang, request.get("title"), full)
            emit("\n" if number else "")
            print_page(page)
    finally:
        decider.close()
    if as_json:
        print_json(answers[0] if len(cases) == 1 else answers)


def _decide(
    decider: Any,
    name: str,
    request: dict[str, Any],
    profile: str | None,
    as_of: date | None,
    engine: str,
    full: bool,
) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = decider.decide(
            request["case"],
            today=today(),
            as_of=as_of or _day(request.get("as_of"), name),
            profile=profile or request.get("profile"),
            engine=engine,
            full=full,
        )
        return answer
    except EligibilityError as error:
        raise located(error, name) from error


def _day(value: Any, name: str) -> date | None:
    if value is None or isinstance(value, date):
        return value
    return day_named(value if isinstance(value, str) else repr(value), f"{name}: as_of")


def read_request(name: str) -> dict[str, Any]:
    """A case file as ``{case, profile?, as_of?}``; the file may be the facts themselves."""
    try:
        document = parse(read_file(name), name)
    except EligibilityError as error:
        raise located(error, name) from error
    if not isinstance(document, dict):
        refuse("wrong_type", "案件应为键值表", "a case is a mapping of facts", name)
    if "case" not in document:
        facts = {key: value for key, value in document.items() if key not in ("title", "source")}
        return {"case": facts, "title": document.get("title")}
    for key in document:
        if key not in REQUEST | FOR_PEOPLE:
            allowed = ", ".join(sorted(REQUEST))
            shown = str(key)[:40]
            refuse("unknown_key", f"没有“{shown}”这个键", f"no key '{shown}': {allowed}", name)
    profile = document.get("profile")
    if profile is not None and not isinstance(profile, str):
        refuse("wrong_type", "profile 应为文字", "profile must be a text", f"{name}: profile")
    return document


def parse(text: str, name: str) -> Any:
    """JSON by its suffix or first character, YAML otherwise."""
    from eligibility.documents import read_json, read_yaml

    if not text.strip():
        refuse("empty_file", "文件是空的", "the file is empty", name)
    suffix = PurePath(name).suffix.lower()
    if suffix == ".json" or (suffix not in (".yaml", ".yml") and text.lstrip()[:1] in ("{", "[")):
        return read_json(text)
    return read_yaml(text, name).plain()


def register(app: typer.Typer) -> None:
    app.command()(decide)
