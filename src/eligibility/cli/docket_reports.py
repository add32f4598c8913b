"""``docket report`` and ``docket diff``: what came out of a screening, and what changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.output import (
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    emit,
    print_json,
    print_page,
    refuse,
    rules_of,
)

if TYPE_CHECKING:
    from eligibility.docket.differences import Sink
    from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]
TOP = 20
TopOption = Annotated[
    int, typer.Option("--top", min=1, max=1000, help="每个清单至多列几件 / cases of each list")
]
ReportOption = Annotated[
    str | None, typer.Option("--report", metavar="FILE", help="另写报告 HTML / a report as well")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="RESULT", help="与上次结果比较 / compare with this result"),
]


def report(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="筛查结果 / result of screen")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="报告 HTML / the report")
    ] = None,
    since: SinceOption = None,
    docket: Annotated[
        list[str] | None,
        typer.Option("--docket", metavar="FILE", help="所筛查的案件表，取标的额 / for amounts"),
    ] = None,
    top: TopOption = TOP,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """筛查结果的报告：各法院、各规则、先办哪些、与上次的差别 / a report on a result."""
    if output is None and not as_json:
        refuse("usage", "须给出 -o 或 --json", "give -o or --json")
    base = rules_of(rules)
    made = made_report(result, base, _dockets(docket or []), since, top)
    if output is not None:
        write_report(output, made, result, since, *(docket or []))
    if as_json:
        print_json(made)
    else:
        emit(f"{output}\n")


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="上次的结果 / the result before")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="本次的结果 / the result now")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="逐案差别 .parquet|.csv|.ndjson"),
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """两次筛查结果的差别及原因 / what differs between two results, and why."""
    from eligibility.docket.differences import compare
    from eligibility.docket.result_file import ResultFile
    from eligibility.render.screening_differences import differences_page

    base = rules_of(rules)
    before, after = ResultFile(Path(old)), ResultFile(Path(new))
    with _cases_to(output, old, new) as sink:
        found = compare(before, after, base, sink)
    if as_json:
        print_json(found)
        return
    print_page(differences_page(found, base, lang))
    if output is not None:
        emit(f"{output}\n")


# --- shared with ``screen`` ---------------------------------------------------------------------


def check_wishes(output: str, report_to: str | None, since: str | None) -> None:
    """Refuses, before anything is screened, what could not be reported afterwards."""
    from eligibility.docket.result_file import ResultFile

    if since is not None:
        if report_to is None:
            refuse("usage", "--since 须与 --report 同用", "--since goes with --report", "--since")
        _not_over(output, since)
        ResultFile(Path(since))
    if report_to is not None:
        _not_over(report_to, output, *([since] if since else []))


def report_screened(
    output: str, report_to: str | None, since: str | None, dockets: Sequence[Path], base: Rulebase
) -> None:
    """The report on a result just written, where one is wished."""
    if report_to is not None:
        write_report(report_to, made_report(output, base, dockets, since, TOP), output, since)


def made_report(
    result: str, base: Rulebase, dockets: Sequence[Path], since: str | None, top: int
) -> Entry:
    """The report on a result as data."""
    from eligibility.docket.report import Wishes, report_entry
    from eligibility.docket.result_file import ResultFile

    before = None if since is None else ResultFile(Path(since))
    return report_entry(ResultFile(Path(result)), base, Wishes(dockets, before, top))


def write_report(output: str, made: Entry, *inputs: str | None) -> None:
    """The report as HTML; it appears when it is whole, and over none of what it was made from."""
    from eligibility.docket.tables import whole_file
    from eligibility.render.screening_report import screening_report

    _not_over(output, *(name for name in inputs if name))
    with whole_file(Path(output)) as part:
        part.write_text(screening_report(made), encoding="utf-8")


def _not_over(output: str, *inputs: str) -> None:
    for name in inputs:
        same = os.path.realpath(output) == os.path.realpath(name)
        if same or (os.path.exists(output) and os.path.exists(name) and _one(output, name)):
            refuse("same_file", "会覆盖所读的文件", "would overwrite what is read", output)


def _one(output: str, name: str) -> bool:
    return os.path.samefile(output, name)


def _dockets(names: list[str]) -> list[Path]:
    from eligibility.docket.tables import suffix_of

    paths = [Path(name) for name in names]
    for path in paths:
        suffix_of(path)
        if not path.is_file():
            refuse("cannot_read", "没有这样的文件", "there is no such file", str(path))
    return paths


@contextmanager
def _cases_to(output: str | None, *inputs: str) -> Iterator[Sink]:
    """Where the cases of a comparison go: a file by its suffix, or nowhere."""
    if output is None:
        yield lambda table: None
        return
    from eligibility.docket.case_files import CaseFile
    from eligibility.docket.tables import suffix_of, whole_file

    kind = suffix_of(Path(output))
    _not_over(output, *inputs)
    with whole_file(Path(output)) as part, CaseFile(part, kind) as cases:
        yield cases.add


def register(app: typer.Typer) -> None:
    app.command("report")(report)
    app.command("diff")(diff)
