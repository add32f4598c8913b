"""``serve``: the HTTP service and the workbench."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address, ip_network
from typing import Annotated

import typer

from eligibility.cli.database import DatabaseOption
from eligibility.cli.output import RulesOption, refuse

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def serve(
    host: Annotated[str | None, typer.Option("--host", help="地址 / address")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="端口 / port")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="进程数 / processes")] = 1,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """启动服务 / serve the API and the workbench (settings: ELIGIBILITY_*)."""
    try:
        from eligibility.api.app import run
        from eligibility.settings import read_settings
    except ImportError as error:
        refuse("not_installed", f"缺少 {error.name}", f"'{error.name}' is not installed")
    if database is not None:
        os.environ["ELIGIBILITY_DATABASE_URL"] = database  # each worker reads it for itself
    settings = read_settings(host=host, port=port, rules=rules)
    if settings.auth == "none":
        _only_here(settings.host)
    _free(settings.host, settings.port)
    run(settings, workers)


def _only_here(host: str) -> None:
    """Without authentication only programs of this computer may reach the service."""
    if host == "localhost":
        return
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or not any(address in network for network in LOOPBACK):
        refuse(
            "auth_none_needs_loopback",
            f"未设身份验证（ELIGIBILITY_AUTH），只能监听本机地址（127.0.0.0/8、::1、localhost），"
            f"不能监听 {host[:80]}",
            "without authentication (ELIGIBILITY_AUTH) only this computer may be served "
            f"(127.0.0.0/8, ::1, localhost), not {host[:80]}",
            "host",
        )


def _free(host: str, port: int) -> None:
    """Say in one line what the server would say in many."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror
        refuse("cannot_listen", f"不能监听：{why}", f"cannot listen: {why}", f"{host}:{port}")


def register(app: typer.Typer) -> None:
    app.command()(serve)
