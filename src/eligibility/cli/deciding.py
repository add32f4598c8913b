"""``decide``: cases in, decisions out."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from eligibility.cli.database import DatabaseOption, follow_ups, moment
from eligibility.cli.output import (
    BAD_INPUT,
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    complain,
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
from eligibility.errors import EligibilityError, NotFound, Problem, Text

if TYPE_CHECKING:
    from eligibility.decision.decide import Decider
    from eligibility.rulebase.model import Rulebase

T = TypeVar("T")
REQUEST = frozenset({"case", "profile", "as_of", "rulebase"})
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
    record: Annotated[
        bool, typer.Option("--record", help="留存决定，开始后续 / record it and follow up")
    ] = False,
    database: DatabaseOption = None,
) -> int:
    """审查案件 / decide cases; one that cannot be decided does not withhold the others."""
    from eligibility.decision.decide import Decider
    from eligibility.decision.program import ENGINES
    from eligibility.render import decision_page

    if engine not in ENGINES:
        allowed = ", ".join(ENGINES)
        refuse("unknown_engine", f"没有引擎“{engine}”", f"no engine '{engine}': {allowed}")
    asked = Asked(profile, day_named(as_of, "--as-of"), engine, full)
    followed = follow_ups(database, rules) if record or database else None
    decider = followed.decider if followed else Decider(rules_of(rules))
    answers: list[dict[str, Any] | None] = []
    try:
        for name in cases:
            try:
                request = read_request(name)
                body = _decide(decider, name, request, asked)
                if followed is not None:
                    body = followed.record_decision(_as_asked(request, body), body, moment())
            except EligibilityError as error:
                complain(error.problems)
                answers.append(None)
                continue
            if not as_json:
                page = decision_page(body, decider.rulebase, lang, request.get("title"), full)
                emit("\n" if any(answers) else "")
                print_page(page)
            answers.append(body)
    finally:
        if followed is not None:
            followed.close()
        decider.close()
    if as_json and any(answers):
        print_json(answers[0] if len(cases) == 1 else answers)
    return 0 if all(answers) else BAD_INPUT


class Asked(NamedTuple):
    """What the options ask of every case."""

    profile: str | None
    as_of: date | None
    engine: str
    full: bool


def _decide(decider: Decider, name: str, request: dict[str, Any], asked: Asked) -> dict[str, Any]:
    try:
        check_digest(decider.rulebase, request.get("rulebase"))
        return decider.decide(
            request["case"],
            today=today(),
            as_of=_agreed(asked.as_of, _day(request.get("as_of"), name), "as_of"),
            profile=_agreed(asked.profile, request.get("profile"), "profile"),
            engine=asked.engine,
            full=asked.full,
        )
    except EligibilityError as error:
        raise located(error, name) from error


def _as_asked(request: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """What is kept with a decision: the facts as they were given, by whom and for which day."""
    return {"case": request["case"], "profile": body["profile"], "as_of": body["as_of"]}


def _agreed(option: T | None, given: T | None, key: str) -> T | None:
    """What the option and the file say; both may, if they say the same."""
    if option is None or given is None or option == given:
        return option if given is None else given
    flag = "--" + key.replace("_", "-")
    refuse(
        "as_of_conflict" if key == "as_of" else "profile_conflict",
        f"文件写 {given}，{flag} 为 {option}；只写一个",
        f"the file says {given}, {flag} says {option}: give one",
        key,
    )


def check_digest(rulebase: Rulebase, digest: str | None) -> None:
    """Refuse to decide by another rule base than the one asked for."""
    if digest is None or digest == rulebase.digest:
        return
    text = Text(
        f"未载入该规则库，现行规则库为 {rulebase.digest}",
        f"that rule base is not loaded; in force is {rulebase.digest}",
    )
    raise NotFound(Problem("unknown_rulebase", text, "rulebase", allowed=(rulebase.digest,)))


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
    for key in ("profile", "rulebase"):
        if not isinstance(document.get(key), str | None):
            refuse("wrong_type", f"{key} 应为文字", f"{key} must be a text", f"{name}: {key}")
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
