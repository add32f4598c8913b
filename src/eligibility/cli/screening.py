"""``screen``: whole dockets to one row a case; ``docket synth``: dockets made up for trials."""

from __future__ import annotations

import glob
import json
import sys
from collections import Counter
from collections.abc import Iterator
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
    import pyarrow as pa

    from eligibility.decision.decide import Decider
    from eligibility.docket.screening import Screening

SHOWN_REJECTS = 20
OutOption = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help=".parquet | .csv | .ndjson")
]
docket_app = typer.Typer(help="案件表 / dockets", no_args_is_help=True)


class Tally:
    """What a screening found, counted as it goes."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.courts: dict[str, Counter[str]] = {}
        self.rejected: list[str] = []
        self.rejects = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """A batch of results."""
        import pyarrow

        self.rows += batch.num_rows
        errors = batch.column("error")
        refused = errors.drop_null()
        self.rejects += len(refused)
        self.rejected += refused.slice(0, SHOWN_REJECTS - len(self.rejected)).to_pylist()
        judged = batch.filter(errors.is_null()) if len(refused) else batch
        for found in judged.column("effective_rules").flatten().value_counts():
            self.rules[found["values"].as_py()] += found["counts"].as_py()
        keys = [judged.column(name).cast("string") for name in ("court_id", "outcome")]
        table = pyarrow.table(keys, ["court", "outcome"])
        pairs = table.group_by(["court", "outcome"]).aggregate([([], "count_all")])
        for found in pairs.to_pylist():
            court, outcome, count = found["court"] or "", found["outcome"], found["count_all"]
            self.outcomes[outcome] += count
            self.courts.setdefault(court, Counter())[outcome] += count

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "outcomes": dict(self.outcomes.most_common()),
            "rules": dict(sorted(self.rules.items())),
            "courts": {court: dict(found) for court, found in sorted(self.courts.items())},
            "rejected": {"count": self.rejects, "first": self.rejected},
        }


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
    from eligibility.docket.batches import ahead, write_batches
    from eligibility.docket.screening import Screening

    if profile is not None and profile_column is not None:
        refuse("usage", "只能用其一", "use one of them", "--profile, --profile-column")
    files, out = _files(dockets), Path(output)
    kind = tables.suffix_of(out)
    base = rules_of(rules)
    if profile is not None:
        base.profile(profile)
    deciding = Decider(base)
    screening = Screening(deciding, today(), day_named(as_of, "--as-of"), profile, dates)
    tally = Tally()
    try:
        with tables.whole_file(out) as part:
            found = _screened(screening, files, profile_column, tally)
            write_batches(part, kind, ahead(found))
    finally:
        deciding.close()
    counted = tally.as_dict()
    if summary is not None:
        write_file(summary, json.dumps(counted, ensure_ascii=False, indent=2) + "\n")
    if as_json:
        print_json(counted)
        return
    emit(_page(counted, deciding) + f"{output}\n")


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


def _screened(
    screening: Screening, files: list[Path], profile_column: str | None, tally: Tally
) -> Iterator[pa.RecordBatch]:
    """Batches of results, counted and with progress shown."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from eligibility.docket.batches import screened

    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("0 件", total=None)
        for path in files:
            for batch in screened(screening, path, profile_column):
                tally.add(batch)
                spent = progress.tasks[0].elapsed or 0
                rate = f"，{tally.rows / spent:,.0f} 件/秒" if spent else ""
                progress.update(task, description=f"{path.name}：{tally.rows:,} 件{rate}")
                yield batch


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
