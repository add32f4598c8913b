"""``screen``: whole dockets to one row a case; ``docket synth``: dockets made up for trials."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli import docket_reports
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
    from eligibility.docket.facts import DocketFacts
    from eligibility.docket.run import Progress
    from eligibility.docket.screening import Screening
    from eligibility.docket.spark import Cluster, Gather
    from eligibility.docket.tally import Tally
    from eligibility.rulebase.model import Rulebase

OutOption = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help=".parquet | .csv | .ndjson")
]
docket_app = typer.Typer(help="案件表 / dockets", no_args_is_help=True)


class Runner(StrEnum):
    """What screens: this process, or tasks of Apache Spark."""

    local = "local"
    spark = "spark"


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
    ignore_column: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore-column", metavar="NAME", help="不是事实的列，可重复 / no fact; repeatable"
        ),
    ] = None,
    dates: Annotated[
        bool,
        typer.Option(
            "--dates/--no-dates",
            help="结论何日改变；不算则快数倍 / when outcomes change; without, several times faster",
        ),
    ] = True,
    summary: Annotated[
        str | None, typer.Option("--summary", metavar="FILE", help="汇总 JSON / summary")
    ] = None,
    report: docket_reports.ReportOption = None,
    since: docket_reports.SinceOption = None,
    docket_facts: Annotated[
        bool,
        typer.Option(
            help="先通览全表，补入案件表自身得出的事实 / first derive facts of the docket"
        ),
    ] = True,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="案件表是全省全部案件 / the docket is all of the province"),
    ] = False,
    debtors: Annotated[
        str | None,
        typer.Option("--debtors", metavar="FILE", help="全省被执行人统计表 / register of debtors"),
    ] = None,
    courts_load: Annotated[
        str | None,
        typer.Option(
            "--courts-load", metavar="FILE", help="全省各法院人案统计表 / loads of courts"
        ),
    ] = None,
    runner: Annotated[
        Runner,
        typer.Option("--runner", help="本机进程或 Spark（结果为文件夹） / here, or by Spark"),
    ] = Runner.local,
    spark_master: Annotated[
        str | None,
        typer.Option("--spark-master", metavar="URL", help="local[N] | yarn | k8s://… | spark://…"),
    ] = None,
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(
            "--spark-conf", metavar="K=V", help="Spark 设置，可重复 / of Spark, repeatable"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="十万件以上由几个进程同审，默认每核一个 / processes, by default one a core",
        ),
    ] = None,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """成批筛查案件表，每案一行结果 / screen dockets: one row of result a case."""
    from eligibility.decision.decide import Decider
    from eligibility.docket import tables
    from eligibility.docket.facts import holds_docket_facts
    from eligibility.docket.screening import Screening
    from eligibility.docket.spark import screen_docket
    from eligibility.docket.tasks import Job
    from eligibility.rulebase.loader import load
    from eligibility.rulefiles import read_texts, rules_folder

    if profile is not None and profile_column is not None:
        refuse("usage", "只能用其一", "use one of them", "--profile, --profile-column")
    if not docket_facts and (complete or debtors or courts_load):
        refuse("usage", "不能同用", "exclude each other", "--no-docket-facts")
    if runner is Runner.local and (spark_master or spark_conf):
        refuse("usage", "须与 --runner spark 同用", "goes with --runner spark", "--spark-…")
    if runner is Runner.spark and workers is not None:
        refuse("usage", "Spark 自己决定", "Spark decides itself", "--workers")
    files, out = _files(dockets), Path(output)
    kind = tables.suffix_of(out)
    docket_reports.check_wishes(output, report, since)
    texts = read_texts(rules_folder(rules))
    base = load(texts)
    if profile is not None:
        base.profile(profile)
    ignored = _ignored(base, ignore_column or [], profile_column)
    day, gather = day_named(as_of, "--as-of"), None
    if docket_facts and holds_docket_facts(base):
        one = None if profile_column else profile
        gather = _gathering(base, one, day, complete, debtors, courts_load)
    deciding = Decider(base)
    try:
        if runner is Runner.spark:
            cluster = _cluster(spark_master, spark_conf or [])
            job = Job(base.digest, texts, today(), day, profile, profile_column, dates, kind)
            job = replace(job, ignored=ignored)
            tally, facts = screen_docket(cluster, job, files, out, gather)
        else:
            screening = Screening(deciding, today(), day, profile, dates, ignored)
            tally, facts = _screen_here(screening, files, out, profile_column, gather, workers)
    finally:
        deciding.close()
    counted = tally.as_dict() | ({"docket": facts.summary()} if facts else {})
    if summary is not None:
        write_file(summary, json.dumps(counted, ensure_ascii=False, indent=2) + "\n")
    docket_reports.report_screened(output, report, since, files, base)
    if as_json:
        print_json(counted)
        return
    emit(_page(counted, deciding) + f"{output}\n")


def _ignored(base: Rulebase, names: list[str], profile_column: str | None) -> frozenset[str]:
    """The columns to pass over: none that the screening reads."""
    lists = [
        word for kind in base.vocabulary.lists().values() for word in (kind.list_key, kind.label.zh)
    ]
    for name in names:
        if base.vocabulary.named(name) is not None or name in lists or name == profile_column:
            refuse("usage", "这一列要读取", "this column is read", f"--ignore-column {name}")
    return frozenset(names)


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


def _gathering(
    base: Rulebase,
    profile: str | None,
    day: date | None,
    complete: bool,
    debtors: str | None,
    courts_load: str | None,
) -> Gather:
    """Makes the facts of a docket from what its rows say and the registers given from outside."""
    from eligibility.docket import registers
    from eligibility.docket.facts import DocketFacts

    counts = registers.read_debtors(Path(debtors), base.vocabulary) if debtors else None
    loads = registers.read_court_loads(Path(courts_load), base) if courts_load else None
    return partial(
        DocketFacts.of_mentions,
        rulebase=base,
        profile=profile,
        day=day,
        complete=complete,
        debtors=counts,
        loads=loads,
    )


def _cluster(master: str | None, settings: list[str]) -> Cluster:
    from eligibility.docket.spark import Cluster

    named = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not (sign and name.startswith("spark.")):
            refuse(
                "usage", "应写作 spark.…=…", "is not written spark.…=…", f"--spark-conf {setting}"
            )
        named[name] = value
    return Cluster(master, named)


def _screen_here(
    screening: Screening,
    files: list[Path],
    out: Path,
    profile_column: str | None,
    gather: Gather | None,
    workers: int | None,
) -> tuple[Tally, DocketFacts | None]:
    """Screens on this machine, into one file."""
    from eligibility.docket.children import usual_workers
    from eligibility.docket.run import run_docket

    with _shown() as shown:
        return run_docket(
            screening,
            files,
            out,
            gather,
            profile_column=profile_column,
            workers=workers or usual_workers(),
            progress=shown,
        )


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Shows on a terminal how far a run is, and how long it will still take."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("剩余 / left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("通览 / first pass", total=None)

        def show(progress: Progress) -> None:
            if not progress.rows:  # what went before took time of its own
                bar.reset(task, total=progress.bytes_total)
            spent = bar.tasks[0].elapsed or 0
            rate = f"，{progress.rows / spent:,.0f} 件/秒" if spent else ""
            part = f"，{progress.bytes_done / max(progress.bytes_total, 1):.0%}"
            text = f"{progress.file.name}：{progress.rows:,} 件{rate}{part}"
            bar.update(task, description=text, completed=progress.bytes_done)

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
    lines += _docket_lines(found["docket"]) if "docket" in found else []
    return "\n".join(lines) + "\n"


def _docket_lines(docket: dict[str, Any]) -> list[str]:
    """What the facts of the docket rest on, for people."""
    count, chains = docket["debtors"], docket["chains"]
    kind = (
        ("全部案件", "all cases")
        if docket["complete"]
        else ("部分案件，件数为下限", "lower bounds")
    )
    lines = [
        f"  被执行人 {count:,} 人（{kind[0]}） / {count:,} debtors ({kind[1]})",
        f"  关联案件 {chains['count']:,} 组，最大 {chains['largest']:,} 件 / chains of cases",
    ]
    strangers, conflicts = docket["courts_not_in_register"], docket["conflicts"]["count"]
    if strangers["count"]:
        names = "、".join(strangers["first"][:5])
        zh = f"法院名录中没有的法院 {strangers['count']:,} 个，不据以认定不同法院"
        lines.append(f"  {zh} / courts not in the register: {names}")
    if conflicts:
        zh = f"统计表少于案件表的被执行人 {conflicts:,} 人"
        lines.append(f"  {zh} / debtors of whom the docket shows more than the register")
    return lines


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
    docket_reports.register(docket_app)
    app.add_typer(docket_app, name="docket")
