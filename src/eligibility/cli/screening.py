"""``screen``: whole dockets to one row a case; ``docket synth``: dockets made up for trials."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.output import (
    JsonOption,
    RulesOption,
    day_named,
    emit,
    print_json,
    refuse,
    rules_of,
    today,
    write_file,
)

if TYPE_CHECKING:
    from eligibility.decision.decide import Decider
    from eligibility.docket.run import Progress

OutOption = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help=".parquet | .csv | .ndjson")
]
docket_app = typer.Typer(help="案件表 / dockets", no_args_is_help=True)


def screen(
    dockets: Annotated[
        list[str], typer.Argument(metavar="DOCKET...", help="案件表 CSV/NDJSON/Parquet，可用通配符")
    ],
    output: OutOption,
    profile: Annotated[str | None, typer.Option("--profile", help="适用辖区规则")] = None,
    profile_column: Annotated[
        str | None, typer.Option("--profile-column", help="辖区规则所在列 / column of the profile")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="审查基准日 / day of evaluation")
    ] = None,
    dates: Annotated[
        bool, typer.Option("--dates", help="另算结论何日改变（慢） / also when outcomes change")
    ] = False,
    summary: Annotated[
        str | None, typer.Option("--summary", metavar="FILE", help="汇总 JSON / summary")
    ] = None,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """成批筛查案件表，每案一行结果 / screen dockets: one row of result a case."""
    from eligibility.decision.decide import Decider
    from eligibility.docket import tables
    from eligibility.docket.run import run
    from eligibility.docket.screening import Screening

    if profile is not None and profile_column is not None:
        refuse("usage", "只能用其一", "use one of them", "--profile, --profile-column")
    files, out = _files(dockets), Path(output)
    tables.suffix_of(out)
    base = rules_of(rules)
    if profile is not None:
        base.profile(profile)
    deciding = Decider(base)
    screening = Screening(deciding, today(), day_named(as_of, "--as-of"), profile, dates)
    try:
        with _shown() as progress:
            tally = run(screening, files, out, profile_column=profile_column, progress=progress)
    finally:
        deciding.close()
    found = tally.as_dict()
    if summary is not None:
        write_file(summary, json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    if as_json:
        print_json(found)
        return
    emit(_page(found, deciding) + f"{output}\n")


def _files(patterns: list[str]) -> list[Path]:
    """The files meant, each once, those of a pattern in order of name."""
    from eligibility.docket import tables

    found: dict[Path, None] = {}
    for pattern in patterns:
        names = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern, recursive=True))
        if not names:
            refuse("cannot_read", "没有这样的文件", "there is no such file", pattern)
        found.update(dict.fromkeys(Path(name) for name in names if Path(name).is_file()))
    for path in found:
        tables.suffix_of(path)
    return list(found)


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Shows on a terminal how far a run is."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("0 件", total=None)

        def show(progress: Progress) -> None:
            spent = bar.tasks[0].elapsed or 0
            rate = f"，{progress.rows / spent:,.0f} 件/秒" if spent else ""
            part = f"，{progress.bytes_done / max(progress.bytes_total, 1):.0%}"
            bar.update(task, description=f"{progress.file.name}：{progress.rows:,} 件{rate}{part}")

        yield show


def _page(found: dict[str, Any], deciding: Decider) -> str:
    lines = [f"共 {found['rows']:,} 件 / {found['rows']:,} cases"]
    for name, count in found["outcomes"].items():
        label = deciding.outcome_label(name)
        lines.append(f"  {count:>10,}  {label.zh} / {label.en}")
    rejected = found["rejected"]
    if rejected["count"]:
        lines.append(f"  {rejected['count']:>10,}  不能审查的行 / rows rejected:")
        lines += [f"    {text}" for text in rejected["first"]]
    return "\n".join(lines) + "\n"


def synth(
    output: OutOption,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="件数 / cases")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="种子 / seed")] = 1,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="审查基准日 / day of evaluation")
    ] = None,
    rules: RulesOption = None,
) -> None:
    """编造一份案件表供试用和测速，并非真实案件 / make up a docket for trials."""
    from eligibility.docket import tables
    from eligibility.docket.synth import Synthesis

    path = Path(output)
    kind = tables.suffix_of(path)
    base = rules_of(rules)
    day: date = day_named(as_of, "--as-of") or today()
    cases = Synthesis(base, seed, day).cases(count)
    schema = tables.docket_schema(base.vocabulary)
    wide = [list(schema.names)] if kind == ".csv" else []
    batches = iter(lambda: list(islice(cases, tables.BATCH)), [])
    if wide:
        batches = (tables.csv_cases(batch, wide[0]) for batch in batches)
    with tables.whole_file(path) as part:
        tables.write_rows(part, kind, batches, schema)
    emit(f"{output}\n")


def register(app: typer.Typer) -> None:
    app.command()(screen)
    docket_app.command("synth")(synth)
    app.add_typer(docket_app, name="docket")
