"""``allocate``: a plan that assigns the movable cases of a docket to courts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eligibility.cli.output import (
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    court_named,
    day_named,
    emit,
    print_json,
    print_page,
    read_file,
    refuse,
    rules_of,
    today,
    write_file,
)


class Way(StrEnum):
    """面上调案 or 推磨式分层交叉."""

    balance = "balance"
    rotate = "rotate"


def allocate(
    dockets: Annotated[
        list[str], typer.Argument(metavar="DOCKET...", help="案件表 CSV/NDJSON/JSON/YAML")
    ],
    decider: Annotated[
        str, typer.Option("--decider", help="决定法院：编号、名称或别名 / the court that decides")
    ],
    way: Annotated[
        Way, typer.Option("--way", help="balance 均衡调案 | rotate 推磨式轮转")
    ] = Way.balance,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="方案表 CSV / plan table")
    ] = None,
    max_moves: Annotated[
        int | None, typer.Option(min=0, help="最多调出件数 / cap on moves")
    ] = None,
    must_move: Annotated[
        bool, typer.Option("--must-move", help="整类调出，不留原院 / moved as a class")
    ] = False,
    distance_weight: Annotated[float, typer.Option(min=0, help="每公里的代价")] = 1.0,
    move_weight: Annotated[float, typer.Option(min=0, help="每次移送的代价，以公里计")] = 1.0,
    spread_weight: Annotated[float, typer.Option(min=0, help="人均相差一件的代价，以公里计")] = 1.0,
    profile: Annotated[str | None, typer.Option("--profile", help="适用辖区规则")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="审查基准日 / day of evaluation")
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """成批调案方案 / propose which court each movable case goes to; a court decides."""
    try:
        from eligibility.courts.allocation import allocate as balanced
        from eligibility.courts.rotation import rotate
    except ImportError as error:
        refuse("not_installed", f"缺少 {error.name}", f"'{error.name}' is not installed")
    from eligibility.courts.plan import Wishes
    from eligibility.decision.decide import Decider
    from eligibility.docket.files import read_cases
    from eligibility.docket.movable import Batch, sort_docket
    from eligibility.docket.plan import plan_entry
    from eligibility.render.plan import plan_csv, plan_page

    base = rules_of(rules)
    deciding = Decider(base)
    try:
        superior = court_named(deciding.register, decider)
        batch = Batch(superior, day_named(as_of, "--as-of") or today(), profile, must_move)
        cases = (
            placed
            for name in dockets
            for placed in read_cases(name, read_file(name), base.vocabulary)
        )
        docket = sort_docket(deciding, cases, batch)
    finally:
        deciding.close()
    wishes = Wishes(max_moves, distance_weight, move_weight, spread_weight)
    make = rotate if way is Way.rotate else balanced
    entry = plan_entry(make(docket.movable, docket.places, wishes), docket, base)
    if output is not None:
        write_file(output, plan_csv(entry, lang))
    if as_json:
        print_json(entry)
        return
    names = {court.id: court.label.in_language(lang) for court in base.courts.values()}
    print_page(plan_page(entry, names, lang))
    if output is not None:
        emit(f"{output}\n")


def register(app: typer.Typer) -> None:
    app.command()(allocate)
