"""The command that drafts a notice."""

from __future__ import annotations

from typing import Annotated

import typer

from eligibility.cli.database import DatabaseOption, follow_ups
from eligibility.cli.following import AsOfOption, CaseArgument, OutOption, close, write_out
from eligibility.cli.output import RulesOption, day_named, today


def draft_notice(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="urge_order 督促执行令，supervision_letter 执行监督函"),
    ],
    case: CaseArgument,
    duty: Annotated[
        str | None, typer.Option("--duty", help="职责编号 / the id of the duty it is about")
    ] = None,
    doc_no: Annotated[str, typer.Option("--doc-no", help="文号 / number of the document")] = "",
    until: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="限期 / the day set")
    ] = None,
    output: OutOption = None,
    as_of: AsOfOption = None,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """文书草稿（HTML，A4）/ draft of a notice, to check, complete and sign."""
    from eligibility.render.notices import notice

    day, limit = day_named(as_of, "--as-of") or today(), day_named(until, "--until")
    followed = follow_ups(database, rules, reading=True)
    try:
        told = followed.for_notice(case, duty, day)
        html = notice(kind, *told, day, doc_no, limit)
    finally:
        close(followed)
    write_out(html, output)


def register(group: typer.Typer) -> None:
    """``group`` holds the commands on duties."""
    group.command("notice")(draft_notice)
