"""``keys``: who may call the HTTP service, as what, for which courts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.database import DatabaseOption, check_there, moment, url_of
from eligibility.cli.output import (
    JsonOption,
    RulesOption,
    court_named,
    day_named,
    emit,
    print_json,
    rules_of,
)

if TYPE_CHECKING:
    from eligibility.records.database import Database
    from eligibility.records.keys import ApiKey

keys_app = typer.Typer(help="接口密钥 / API keys of the HTTP service")


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="谁使用 / who uses it")],
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            help="角色，可多次 / role, repeatable: case_system, policy_editor, policy_approver, "
            "reviewer, auditor, admin",
        ),
    ] = None,
    courts: Annotated[
        list[str] | None,
        typer.Option("--court", help="仅限该法院，可多次 / only this court, repeatable"),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="DATE", help="最后有效日 / last day on which it is valid"
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """新建密钥，只显示这一次 / make a key; it is shown this once."""
    from eligibility.courts.register import Register
    from eligibility.records import keys

    limited = None
    if courts:
        register = Register(rules_of(rules).courts)
        limited = [court_named(register, court).id for court in courts]
    ends = _end_of(expires)
    with _opened(database) as opened, opened.begin() as connection:
        made, secret = keys.create(connection, name, roles or [], moment(), limited, ends)
    if as_json:
        print_json({**_described(made), "key": secret})
        return
    emit(f"{secret}\n")
    sys.stderr.write(
        f"密钥 {made.id} 只显示这一次，请妥善保存 / is shown this once: keep it safe\n"
    )


@keys_app.command("list")
def list_keys(as_json: JsonOption = False, database: DatabaseOption = None) -> None:
    """全部密钥，不含密文 / all keys, without their secrets."""
    from eligibility.records import keys

    with _opened(database, reading=True) as opened, opened.read() as connection:
        found = [_described(key) for key in keys.every(connection)]
    if as_json:
        print_json({"count": len(found), "keys": found})
        return
    for key in found:
        courts = "不限法院 / all courts" if key["courts"] is None else ",".join(key["courts"])
        until = f"  至 / until {key['expires_at']}" if key["expires_at"] else ""
        roles = ",".join(key["roles"])
        emit(f"{key['id']}  {key['state']:<8} {key['name']}  {roles}  {courts}{until}\n")


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="密钥编号 / id of the key")],
    database: DatabaseOption = None,
) -> None:
    """撤销密钥，立即生效 / refuse a key from now on."""
    from eligibility.records import keys

    with _opened(database, reading=True) as opened, opened.begin() as connection:
        made = keys.revoke(connection, key_id, moment())
    emit(f"{made.id}  已撤销 / revoked  {made.name}\n")


@contextmanager
def _opened(database: str | None, reading: bool = False) -> Iterator[Database]:
    from eligibility.records.database import Database
    from eligibility.settings import read_settings

    url = url_of(read_settings(database_url=database))
    if reading:
        check_there(url)
    opened = Database.open(url)
    try:
        yield opened
    finally:
        opened.close()


def _end_of(expires: str | None) -> datetime | None:
    """The first moment, in local time, after the last day."""
    day = day_named(expires, "--expires")
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=1), time()).astimezone()


def _described(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(moment()),
        "roles": sorted(key.roles),
        "courts": None if key.courts is None else sorted(key.courts),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def register(app: typer.Typer) -> None:
    app.add_typer(keys_app, name="keys")
