"""``backup`` and ``restore``: the records in one file, verified both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eligibility.cli.database import DatabaseOption, check_there, moment, url_of
from eligibility.cli.output import JsonOption, emit, print_json, refuse


def backup(
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="备份文件 / file")],
    with_key: Annotated[
        bool,
        typer.Option("--with-key", help="连同记录密钥（不宜）/ put the log key in (unwise)"),
    ] = False,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """备份记录，服务可照常运行 / back the records up while the service runs; without log.key."""
    from eligibility.records.backup import back_up
    from eligibility.records.seals import LogKey
    from eligibility.settings import log_secret, read_settings

    settings = read_settings(database_url=database)
    url = url_of(settings)
    check_there(url)
    secret = log_secret(settings, create=False)
    made = back_up(url, Path(output), LogKey(secret), moment(), secret if with_key else None)
    if as_json:
        print_json(made.as_dict())
        return
    emit(f"已备份并核验 / backed up and verified: {made.records} 条记录 / records\n")
    if not with_key:
        emit("记录密钥不在备份中，须另处保存 / the log key is not in it: keep it apart\n")


def restore(
    source: Annotated[str, typer.Argument(metavar="FILE", help="备份文件 / back-up")],
    force: Annotated[
        bool, typer.Option("--force", help="替换已有记录的数据库 / replace one with records")
    ] = False,
    database: DatabaseOption = None,
) -> None:
    """恢复记录并核验；先停止服务 / restore and verify; stop the service first."""
    from eligibility.records.backup import read_backup
    from eligibility.records.backup import restore as put_back
    from eligibility.records.seals import LogKey
    from eligibility.settings import LOG_KEY_FILE, log_secret, read_settings

    if not Path(source).is_file():
        refuse("cannot_read", "没有这个文件", "there is no such file", source)
    settings = read_settings(database_url=database)
    said = read_backup(Path(source))
    own = Path(settings.data_dir) / LOG_KEY_FILE
    missing = settings.log_key is None and not own.exists()
    if missing and said.secret is not None:
        secret = said.secret
    else:
        secret = log_secret(settings, create=False)
    aside = put_back(Path(source), url_of(settings), LogKey(secret), moment(), force)
    if missing:
        _keep_key(own, secret)
    emit(f"已恢复并核验 / restored and verified: {said.records} 条记录 / records\n")
    if aside is not None:
        emit(f"原有记录 / what was there: {aside}\n")


def _keep_key(path: Path, secret: str) -> None:
    from eligibility.settings import keep_secret

    try:
        keep_secret(path, secret)
    except OSError as error:
        why = error.strerror
        zh, en = (
            f"记录已恢复，但密钥无法写入：{why}",
            f"restored, but the key is not written: {why}",
        )
        refuse("cannot_write", zh, en, str(path))


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)
