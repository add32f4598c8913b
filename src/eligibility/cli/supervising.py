"""``supervise`` and ``courts``: a court in a period, and the register."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from eligibility.cli.database import DatabaseOption, follow_ups
from eligibility.cli.deciding import parse
from eligibility.cli.output import (
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    court_named,
    emit,
    located,
    print_json,
    print_page,
    read_file,
    refuse,
    rules_of,
    today,
    write_file,
)
from eligibility.errors import EligibilityError


class Form(StrEnum):
    """What a board of measures is printed as."""

    page = "page"
    json = "json"
    csv = "csv"
    svg = "svg"


def supervise(
    court: Annotated[
        str | None, typer.Argument(metavar="[COURT]", help="法院：编号、名称或别名 / court")
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="期间：2025、2025Q1、2025-03、2023-01/2025-09")
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option("--figures", metavar="FILE", help="自报数字，不用台账 / figures of your own"),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="page | json | csv | svg")] = Form.page,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="适用辖区规则")] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """法院与期间的指标 / measures of a court and a period; they affect no case."""
    from eligibility.courts.figures import read_figures
    from eligibility.courts.periods import parse_period
    from eligibility.courts.supervision import supervise as measured
    from eligibility.records.figures import count_figures

    if figures is not None:
        base = rules_of(rules)
        try:
            found = read_figures(parse(read_file(figures), figures), base)
        except EligibilityError as error:
            raise located(error, figures) from error
    else:
        if court is None or period is None:
            zh, en = (
                "请写明法院和 --period，或者 --figures",
                "name COURT and --period, or --figures",
            )
            refuse("usage", zh, en)
        wanted = parse_period(period, "--period")
        followed = follow_ups(database, rules, reading=True)
        try:
            base = followed.decider.rulebase
            named = court_named(followed.decider.register, court)
            found = count_figures(followed, named, wanted, today())
        finally:
            followed.close()
            followed.decider.close()
    answer = measured(base, profile, found, min(found.period.last, today()))
    _print(answer, base, Form.json if as_json else form, lang, output)


def _print(answer: dict[str, Any], base: Any, form: Form, lang: Lang, output: str | None) -> None:
    from eligibility.render.supervision import supervision_csv, supervision_page
    from eligibility.render.supervision_chart import supervision_svg

    if form is Form.page and output is None:
        print_page(supervision_page(answer, base, lang))
        return
    if form is Form.json and output is None:
        print_json(answer)
        return
    if form is Form.json:
        from json import dumps

        text = dumps(answer, ensure_ascii=False, indent=2) + "\n"
    elif form is Form.csv:
        text = supervision_csv([answer], lang)
    elif form is Form.svg:
        text = supervision_svg(answer, lang)
    else:
        text = supervision_page(answer, base, lang).text()
    if output is None:
        emit(text)
    else:
        write_file(output, text)


def courts(
    name: Annotated[
        str | None, typer.Argument(metavar="[COURT]", help="编号、名称或别名 / id, name or alias")
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """法院名录 / the court register."""
    from eligibility.courts.register import Register
    from eligibility.render.rules import list_page
    from eligibility.rulebase.describe import describe_court

    base = rules_of(rules)
    register = Register(base.courts)
    if name is not None:
        print_json(describe_court(court_named(register, name)))
        return
    described = [describe_court(court) for court in base.courts.values()]
    if as_json:
        print_json(described)
        return
    head = ["编号", "级别", "上级", "在办/人", "可再承办", "名称"]
    if lang == Lang.en:
        head = ["id", "level", "parent", "per officer", "capacity", "name"]
    print_page(list_page([_row(court, lang) for court in described], head))


def _row(court: dict[str, Any], lang: Lang) -> list[str]:
    load = court["load"] or {}
    officers, cases = load.get("officers"), load.get("open_cases")
    mark = "*" if load.get("illustrative") else ""
    each = f"{cases / officers:.0f}{mark}" if officers and cases is not None else "—"
    capacity = load.get("capacity")
    return [
        court["id"],
        court["level"],
        court["parent"] or "—",
        each,
        "—" if capacity is None else f"{capacity}{mark}",
        court["label"][lang],
    ]


def register(app: typer.Typer) -> None:
    app.command()(supervise)
    app.command()(courts)
