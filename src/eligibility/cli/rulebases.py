"""``rulebase``: publishing rule bases, and saying from when on they are in force."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.database import DatabaseOption, check_there, moment, url_of
from eligibility.cli.output import (
    JsonOption,
    RulesOption,
    day_named,
    emit,
    print_json,
    refuse,
    today,
)

if TYPE_CHECKING:
    from eligibility.records.activations import Activation, Schedule
    from eligibility.records.database import Database
    from eligibility.records.seals import LogKey

rulebase_app = typer.Typer(help="规则库各版本 / versions of the rule base")
NoteOption = Annotated[str, typer.Option("--note", help="缘由 / why")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="由谁 / who does it (default: the user of the system)")
]


@rulebase_app.command("publish")
def publish(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="规则目录 / rule base folder")],
    database: DatabaseOption = None,
) -> None:
    """检查规则库并存入数据库，尚不启用 / check a rule base and keep it; it is not in force yet."""
    from eligibility.records import activations
    from eligibility.rulefiles import read_texts

    texts = read_texts(Path(folder))
    with _opened(database) as (opened, key), opened.begin() as connection:
        rulebase, new = activations.publish(connection, texts, moment(), key)
    said = "已发布 / published" if new else "早已发布 / published before"
    emit(f"{said}: {rulebase.version}  {rulebase.digest}\n")


@rulebase_app.command("list")
def list_rulebases(as_json: JsonOption = False, database: DatabaseOption = None) -> None:
    """列出已发布的规则库及其生效日 / the published rule bases, and when they are in force."""
    from eligibility.records import activations, rulebases

    with _opened(database, reading=True) as (opened, _), opened.read() as connection:
        found = activations.schedule(connection)
        kept = rulebases.versions(connection)
    day = today()
    entries = [_entry(digest, version, found, day) for digest, version in kept]
    if as_json:
        print_json({"rulebases": entries})
        return
    for one in entries:
        spans = "、".join(f"{s['from']}—{s['to'] or ''}" for s in one["effective"])
        mark = "*" if one["in_force"] else " "
        emit(f"{mark} {one['version']}  {one['digest']}  {spans or '未启用 / not activated'}\n")


def _entry(digest: str, version: str, found: Schedule, day: date) -> dict[str, Any]:
    spans = found.spans(digest)
    return {
        "version": version,
        "digest": digest,
        "in_force": found.on(day) == digest,
        "effective": [
            {"from": s.since.isoformat(), "to": s.until.isoformat() if s.until else None}
            for s in spans
        ],
    }


@rulebase_app.command("activate")
def activate(
    digest: Annotated[str, typer.Argument(help="摘要或其开头 / digest, or its beginning")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="生效日，默认今日 / first day")
    ] = None,
    note: NoteOption = "",
    by: ByOption = None,
    rules: RulesOption = None,
    database: DatabaseOption = None,
) -> None:
    """试运行后启用；此前由 --rules 所指规则库生效 / try it out, then put it in force.

    The first activation puts the rule base of --rules (the one that the service serves) down
    as in force before.
    """
    from eligibility.records import activations, heads, rulebases
    from eligibility.records.rulebases import Library
    from eligibility.rulefiles import read_texts, rules_folder

    day = day_named(since, "--from") or today()
    with _opened(database, reading=True) as (opened, key):
        with opened.read() as connection:
            full = _whole(digest, rulebases.digests(connection))
        activations.check(Library(opened, key), full, max(day, today()))
        texts = read_texts(rules_folder(rules))
        with opened.begin() as connection:
            now = moment()
            heads.lock(connection)
            own, _ = activations.publish(connection, texts, now, key)
            made = activations.activate(
                connection,
                full,
                day,
                now,
                served=own.digest,
                by=by or _user(),
                note=note,
                log_key=key,
            )
    emit(_told("已启用 / activated", made))


@rulebase_app.command("rollback")
def rollback(note: NoteOption = "", by: ByOption = None, database: DatabaseOption = None) -> None:
    """撤回最近一次启用 / take back the last activation that stands."""
    from eligibility.records import activations

    with _opened(database, reading=True) as (opened, key), opened.begin() as connection:
        made = activations.rollback(connection, moment(), by=by or _user(), note=note, log_key=key)
    emit(_told("已撤回 / taken back", made))


def _told(said: str, made: Activation) -> str:
    return f"{said}: {made.digest}  {made.effective_from}  #{made.withdraws or made.seq}\n"


def _whole(beginning: str, known: list[str]) -> str:
    """The one digest that begins so, with or without ``sha256:``."""
    wanted = beginning if beginning.startswith("sha256:") else f"sha256:{beginning}"
    found = [digest for digest in known if digest.startswith(wanted)]
    shown = beginning[:80]
    if not found:
        zh, en = f"没有发布过规则库“{shown}”", f"no rule base '{shown}' was published"
        refuse("unknown_rulebase", zh, en)
    if len(found) > 1:
        zh, en = f"“{shown}”不止一个规则库", f"'{shown}' begins more than one digest"
        refuse("ambiguous_digest", zh, en)
    return found[0]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@contextmanager
def _opened(url: str | None, reading: bool = False) -> Iterator[tuple[Database, LogKey]]:
    from eligibility.records.database import Database
    from eligibility.records.seals import LogKey
    from eligibility.settings import log_secret, read_settings

    settings = read_settings(database_url=url)
    if reading:
        check_there(url_of(settings))
    opened = Database.open(url_of(settings))
    try:
        yield opened, LogKey(log_secret(settings))
    finally:
        opened.close()


def register(app: typer.Typer) -> None:
    app.add_typer(rulebase_app, name="rulebase")
