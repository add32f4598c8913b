"""``check`` and ``fmt``: a rule base looked at as its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eligibility.cli.output import (
    FOUND_WANTING,
    JsonOption,
    Lang,
    RulesOption,
    emit,
    print_json,
    print_page,
    refuse,
    today,
    write_file,
)
from eligibility.errors import Problem

if TYPE_CHECKING:
    from eligibility.render import Page

FolderArgument = Annotated[
    str | None,
    typer.Argument(metavar="[DIR]", help="规则目录 / rule base folder (else ELIGIBILITY_RULES)"),
]
BothLanguages = Annotated[
    Lang | None, typer.Option("--lang", help="只显示一种语言 / only one language")
]


def check(
    folder: FolderArgument = None,
    rules: RulesOption = None,
    lang: BothLanguages = None,
    as_json: JsonOption = False,
) -> int:
    """检查规则库 / every problem of a rule base; exit 1 when there is one."""
    from eligibility.assurance.soundness import examine
    from eligibility.rulefiles import read_texts, rules_folder

    where = rules_folder(_one_folder(folder, rules))
    report = examine(read_texts(where), today())
    if as_json:
        print_json(
            {
                "ok": not report.problems,
                "digest": report.digest,
                "problems": [p.as_dict() for p in report.problems],
                "warnings": [p.as_dict() for p in report.warnings],
            }
        )
    else:
        print_page(_report(report.problems, report.warnings, lang), wrapped=False)
    return FOUND_WANTING if report.problems else 0


def _one_folder(folder: str | None, rules: str | None) -> str | None:
    """The folder named as the argument or with ``--rules``."""
    if folder and rules and folder != rules:
        refuse("usage", "目录与 --rules 只写一个", "give DIR or --rules, not both")
    return folder or rules


def _report(problems: list[Problem], warnings: list[Problem], lang: Lang | None) -> Page:
    from eligibility.render import Page

    page = Page()
    for problem in problems:
        page.add(problem.line(lang), 0, "red")
    for warning in warnings:
        page.add(f"warning: {warning.line(lang)}", 0, "yellow")
    counts = {
        "zh": f"{len(problems)} 处错误，{len(warnings)} 处提示",
        "en": f"{len(problems)} problems, {len(warnings)} warnings",
    }
    page.add(counts[lang] if lang else f"{counts['zh']} / {counts['en']}", 0, "bold")
    return page


_LEFT_ALONE = (
    "处有错误，读不懂的句子未改写，见 eligibility check / "
    "problems: sentences that cannot be read were left alone, see eligibility check"
)


def fmt(
    folder: FolderArgument = None,
    rules: RulesOption = None,
    lang: Annotated[Lang, typer.Option("--lang", help="写成何种语言 / write in")] = Lang.zh,
    dry: Annotated[bool, typer.Option("--check", help="只检查，不写入 / only say")] = False,
    as_json: JsonOption = False,
) -> int:
    """统一规则文件的语言 / put rule files in one language."""
    from eligibility.rulebase.formatter import format_texts
    from eligibility.rulebase.loader import read
    from eligibility.rulefiles import read_texts, rules_folder

    named = _one_folder(folder, rules)
    if not named and not dry:
        refuse("usage", "请写明要改写的规则目录", "name the folder to rewrite: fmt DIR")
    where = rules_folder(named)
    texts = read_texts(where)
    broken = read(texts)[1].problems
    changed = {n: t for n, t in format_texts(texts, lang).items() if t != texts[n]}
    if not dry:
        for name, text in changed.items():
            write_file(str(where / name), text)
    if as_json:
        report = {"changed": sorted(changed), "written": not dry, "problems": len(broken)}
        print_json(report)
    else:
        for name in sorted(changed):
            emit(name + "\n")
        word = ("需要改写", "would change") if dry else ("已改写", "changed")
        emit(f"{word[0]} {len(changed)}/{len(texts)} {word[1]}\n")
        if broken:
            emit(f"{len(broken)} {_LEFT_ALONE}\n")
    return FOUND_WANTING if dry and changed else 0


def write_calendar(
    first: Annotated[int, typer.Option("--from", min=2007, max=2199, help="首年 / first year")],
    last: Annotated[int, typer.Option("--to", min=2007, max=2199, help="末年 / last year")],
    output: Annotated[str, typer.Option("-o", "--output", help="目录 / folder")],
) -> None:
    """写出节假日数据 / write the holiday table of a rule base."""
    if last < first:
        refuse("usage", "末年早于首年", "--to is before --from")
    from eligibility.calendar_data import write_calendar as write

    try:
        for path in write(first, last, Path(output)):
            emit(f"{path}\n")
    except ImportError as error:
        refuse("not_installed", f"缺少 {error.name}", f"'{error.name}' is not installed")


def soak(
    decisions: Annotated[int, typer.Option(min=0, help="决定次数 / decisions")] = 1_000_000,
    reloads: Annotated[int, typer.Option(min=0, help="重载次数 / reloads")] = 1_000,
    profile: Annotated[str, typer.Option(help="辖区规则 / profile")] = "js-yancheng",
    rules: RulesOption = None,
) -> None:
    """耐久试验：两引擎反复决定与重载，列出内存 / decide and reload many times, print memory."""
    from eligibility.engines.soak import soak as run
    from eligibility.rulefiles import load_rules

    figures = run(
        load_rules(rules), profile, today(), decisions, reloads, lambda line: emit(line + "\n")
    )
    for what in ("decisions", "reloads"):
        rate, growth = figures.per_second(what), figures.growth(what)
        emit(f"{what}: {rate:,.0f}/s, {growth:+,} KiB, {figures.disagreements} disagreements\n")


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command()(fmt)
    app.command()(soak)
    calendar = typer.Typer(help="节假日 / the holiday table")
    calendar.command("write")(write_calendar)

    @calendar.callback()
    def _group() -> None:
        """Keeps ``write`` a command of its own."""

    app.add_typer(calendar, name="calendar")
