"""``log shred`` and ``log rewrap``: the sealed data of cases destroyed, its keys kept anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eligibility.cli.database import DatabaseOption, moment
from eligibility.cli.log import key_of, opened_log
from eligibility.cli.output import JsonOption, emit, print_json, read_file, refuse


def shred_case(
    case_no: Annotated[
        str | None, typer.Argument(metavar="CASE_NO", help="案号 / number of the case")
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option("--decision", metavar="ID", help="没有案号的案件：其决定 / a decision of it"),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="缘由；勿写个人信息 / why; no personal data")
    ] = "",
    by: Annotated[str, typer.Option("--by", help="办理人 / who does it")] = "",
    approved_by: Annotated[
        str, typer.Option("--approved-by", help="批准人，须为另一人 / who approved: another one")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="确认：不能恢复 / confirm: it cannot be undone")
    ] = False,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """销毁一案的封存资料，记录和链保持不动 / shred the sealed data of a case for good."""
    from eligibility.records import decisions
    from eligibility.records.shredding import shred
    from eligibility.records.tables import CASE_KEYS, DUTIES

    if (case_no is None) == (decision is None):
        refuse("usage", "写明一个案号或者 --decision", "name a case, or --decision")
    if not yes:
        refuse("usage", "不能恢复；确要销毁请加 --yes", "it cannot be undone; confirm with --yes")
    with opened_log(database) as (opened, settings):
        key = key_of(settings)
        with opened.begin() as connection:
            named = case_no or decisions.find(connection, str(decision)).case_key
            done = shred(
                connection, key, named, moment(), reason=reason, by=by, approved_by=approved_by
            )
        clean = opened.scrub(CASE_KEYS, DUTIES)
    if as_json:
        print_json({**done.as_dict(), "scrubbed": clean})
        return
    emit(f"已销毁 / shredded: {done.decisions} 份决定 / decisions, {done.events} 个事件 / events\n")
    if done.plain:
        zh, en = "条未封存的记录不能销毁", "records that were never sealed remain readable"
        emit(f"{done.plain} {zh} / {en}\n")
    if not clean:
        zh = "预写日志仍有人在读，服务停止后自行清空"
        sys.stderr.write(f"{zh} / the write-ahead log is in use; stopping the service empties it\n")


def rewrap_keys(
    new_key: Annotated[
        str, typer.Option("--new-key", metavar="FILE", help="新的封存密钥 / the new sealing key")
    ],
    database: DatabaseOption = None,
) -> None:
    """更换封存密钥；先停止服务 / put data keys under a new sealing key; stop the service first."""
    from eligibility.records.sealing_key import SealingKey
    from eligibility.records.shredding import rewrap
    from eligibility.records.tables import CASE_KEYS

    with opened_log(database) as (opened, settings):
        if settings.sealing_key is None:
            zh, en = "没有设置现用的封存密钥", "the sealing key in use is not set"
            refuse("no_sealing_key", zh, en)
        old, new = SealingKey(settings.sealing_key), SealingKey(read_file(new_key).strip())
        if old.id == new.id:
            refuse("usage", "新旧密钥相同", "the new key is the old one", str(Path(new_key)))
        with opened.begin() as connection:
            count = rewrap(connection, key_of(settings), old, new, moment())
        opened.scrub(CASE_KEYS)
    emit(f"{count} 个数据密钥改由新密钥保管 / data keys are under the new key\n")


def register(app: typer.Typer) -> None:
    """``app`` is that of ``log``."""
    app.command("shred")(shred_case)
    app.command("rewrap")(rewrap_keys)
