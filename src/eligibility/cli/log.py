"""``log`` and ``replay``: whether the log of decisions is what it was, and still comes out so."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.database import DatabaseOption, check_there, moment, url_of
from eligibility.cli.output import (
    FOUND_WANTING,
    JsonOption,
    ReaderLeft,
    RulesOption,
    court_named,
    day_named,
    emit,
    print_json,
    read_file,
    refuse,
    rules_of,
)
from eligibility.errors import MalformedInput

if TYPE_CHECKING:
    from eligibility.records.database import Database
    from eligibility.records.replay import Replay
    from eligibility.records.seals import LogKey
    from eligibility.records.verification import Verification
    from eligibility.settings import Settings

log_app = typer.Typer(help="决定记录 / the log of decisions")


# --- verify and checkpoint ------------------------------------------------------------------------


@log_app.command("verify")
def verify_log(
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="FILE", help="另存的检查点 / one kept elsewhere"),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            "--export", metavar="FILE", help="只核验导出的文件 / an exported file by itself"
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> int:
    """核验记录未被改动、删除或截断 / check that nothing was changed, removed or cut off."""
    from eligibility.records import checkpoints
    from eligibility.records.verification import verify

    if export is not None:
        found = _verified_export(export, checkpoint, database)
    else:
        with opened_log(database) as (opened, settings):
            key = key_of(settings)
            kept = []
            if checkpoint is not None:
                kept = checkpoints.read(read_file(checkpoint), key, checkpoint)
            found = verify(opened, key, kept)
    if as_json:
        print_json(found.as_dict())
    else:
        emit(_verified(found))
    return 0 if found.intact else FOUND_WANTING


def _verified_export(name: str, checkpoint: str | None, database: str | None) -> Verification:
    """A file with the seal that stands beside it, if one does; no database is needed."""
    from eligibility.records import checkpoints
    from eligibility.records.export_check import verify_export
    from eligibility.records.export_seal import SUFFIX, read_seal
    from eligibility.settings import read_settings

    key = _key_if_any(read_settings(database_url=database))
    kept = []
    if checkpoint is not None:
        if key is None:
            refuse("no_log_key", "核对检查点须有记录密钥", "a checkpoint needs the key of the log")
        kept = checkpoints.read(read_file(checkpoint), key, checkpoint)
    beside = Path(f"{name}{SUFFIX}")
    seal = read_seal(read_file(str(beside)), str(beside)) if beside.exists() else None
    try:
        return verify_export(Path(name), key, kept, seal)
    except OSError as error:
        why = error.strerror
        refuse("cannot_read", f"无法读取：{why}", f"cannot be read: {why}", name)


def _verified(found: Verification) -> str:
    lines = [f"{note.line()}\n" for note in found.notes]
    if found.intact:
        lines.append(
            f"完好 / intact: {found.records} 条记录 / records,"
            f" {found.checkpoints} 个检查点 / checkpoints\n"
        )
        if found.rows:
            lines.append(f"事件和启用 / events and activations: {found.rows}\n")
        if found.last.hash:
            lines.append(f"末条 / last: {found.last.seq}  {found.last.hash}\n")
        return "".join(lines)
    lines += [f"{f.seq}  {f.decision_id}  {f.problem.line()}\n" for f in found.findings]
    more = found.wanting - len(found.findings)
    if more:
        lines.append(f"另有 {more} 处 / {more} more\n")
    return "".join(lines)


@log_app.command("checkpoint")
def make_checkpoint(database: DatabaseOption = None) -> None:
    """在记录末尾作检查点，输出一行 JSON，另处保存 / one line of JSON, to be kept elsewhere."""
    from eligibility.records import chain, journal

    with opened_log(database) as (opened, settings), opened.begin() as connection:
        key = key_of(settings)
        journal.begin(connection, key, moment())
        made = chain.checkpoint(connection, key, moment())
    if made is None:
        refuse("empty_log", "还没有决定记录", "no decision is on record yet")
    emit(json.dumps(made.as_dict(), ensure_ascii=False) + "\n")


# --- export ---------------------------------------------------------------------------------------


@log_app.command("export")
def export_log(
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help=".ndjson 或 .parquet；- 为标准输出"),
    ],
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="决定日起 / decided from")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="决定日止（含）/ to, inclusive")
    ] = None,
    court: Annotated[
        str | None, typer.Option("--court", help="执行法院：编号、名称或别名 / executing court")
    ] = None,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """导出记录，每行一条；旁附封存 / export the records, one a line; a seal stands beside."""
    from eligibility.records import export

    write = export.write_parquet if output.endswith(".parquet") else export.write_lines
    court_id = _court(court, rules)
    since, until = day_named(first, "--from"), day_named(last, "--to")
    partial = any(wanted is not None for wanted in (first, last, court))
    with opened_log(database) as (opened, settings), _file(output) as file:
        key = _key_if_any(settings)
        found = export.entries(
            opened,
            court_id=court_id,
            decided_from=_midnight(since) if since else None,
            decided_to=_midnight(until + timedelta(days=1)) if until else None,
        )
        count = write(found, file)
    if output != "-":
        _seal(Path(output), count, partial, key)
        emit(f"{count} 条 / records\n")


def _seal(file: Path, count: int, partial: bool, key: LogKey | None) -> None:
    """The seal beside the file; one of an earlier file of this name goes in any case."""
    from eligibility.records.export_seal import SUFFIX, seal_of

    beside = Path(f"{file}{SUFFIX}")
    if key is None:
        beside.unlink(missing_ok=True)
        return
    with _file(str(beside)) as opened:
        opened.write(seal_of(file, count, partial, key, moment()).text().encode())


def _court(name: str | None, rules: str | None) -> str | None:
    """The id of a court; a name that the register lacks stands in the log as it was given."""
    if name is None:
        return None
    from eligibility.courts.register import Register

    return court_named(Register(rules_of(rules).courts), name).id


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time()).astimezone()  # where the command runs, as days are meant


@contextmanager
def _file(name: str) -> Iterator[IO[bytes]]:
    """A file that is there under its name only when it is whole; ``-`` for stdout."""
    if name == "-":
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderLeft from None
        return
    draft = Path(f"{name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        os.replace(draft, name)
    except OSError as error:
        why = error.strerror
        refuse("cannot_write", f"无法写入：{why}", f"cannot write: {why}", name)
    finally:
        draft.unlink(missing_ok=True)


# --- replay ---------------------------------------------------------------------------------------


def replay(
    decision: Annotated[
        str | None, typer.Argument(metavar="ID", help="决定编号 / id of a decision")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="全部决定 / every decision")] = False,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> int:
    """按记录重新审查并与原决定比较 / decide again from what was recorded, and compare."""
    from eligibility.records.replay import Replayer
    from eligibility.records.vault import vault_of

    if (decision is None) != every:
        refuse("usage", "写明一个决定编号或者 --all", "name one decision, or --all")
    wanting, count = 0, 0
    shredded = 0
    with opened_log(database) as (opened, settings):
        vault = vault_of(settings.sealing_key)
        replayer = Replayer(opened, _key_if_any(settings), vault)
        try:
            found = replayer.replay_all() if decision is None else [replayer.replay(decision)]
            for one in found:
                count += 1
                shredded += one.shredded
                wanting += not (one.identical or one.shredded)
                _tell(one, every, as_json)
        finally:
            replayer.close()
    if every and not as_json:
        gone = f", {shredded} 份已销毁 / shredded" if shredded else ""
        emit(f"{count} 份决定 / decisions, {wanting} 份不同 / differ{gone}\n")
    return FOUND_WANTING if wanting else 0


def _tell(found: Replay, every: bool, as_json: bool) -> None:
    """``--all`` with JSON is NDJSON: one decision a line, however many there are."""
    if as_json and every:
        emit(json.dumps(found.as_dict(), ensure_ascii=False) + "\n")
    elif as_json:
        print_json(found.as_dict())
    elif not (every and (found.identical or found.shredded)):
        emit(_replayed(found))


def _replayed(found: Replay) -> str:
    word = "相同 / identical" if found.identical else "不同 / differs"
    if found.shredded:
        word = "已销毁 / shredded"
    lines = [f"{found.decision_id}  {word}\n"]
    lines += [f"  {problem.line()}\n" for problem in (*found.problems, *found.notes)]
    lines += [f"  {d.path}: {_short(d.then)} → {_short(d.now)}\n" for d in found.differences]
    if found.omitted:
        lines.append(f"  另有 {found.omitted} 处 / {found.omitted} more\n")
    return "".join(lines)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:80] + "…"


# --- the log --------------------------------------------------------------------------------------


@contextmanager
def opened_log(database: str | None) -> Iterator[tuple[Database, Settings]]:
    """A log that is there already, for its settings tell where. Raises MalformedInput."""
    from eligibility.records.database import Database
    from eligibility.settings import read_settings

    settings = read_settings(database_url=database)
    url = url_of(settings)
    check_there(url)
    opened = Database.open(url)
    try:
        yield opened, settings
    finally:
        opened.close()


def key_of(settings: Settings) -> LogKey:
    """The key of the log, which is never made here. Raises MalformedInput (``no_log_key``)."""
    from eligibility.records.seals import LogKey
    from eligibility.settings import log_secret

    return LogKey(log_secret(settings, create=False))


def _key_if_any(settings: Settings) -> LogKey | None:
    try:
        return key_of(settings)
    except MalformedInput as error:
        if error.code == "no_log_key":
            return None
        raise


def register(app: typer.Typer) -> None:
    app.add_typer(log_app, name="log")
    app.command()(replay)
