"""``serve``: the HTTP service and the workbench."""

from __future__ import annotations

from typing import Annotated

import typer

from eligibility.cli.output import RulesOption, refuse


def serve(
    host: Annotated[str | None, typer.Option("--host", help="地址 / address")] = None,
    port: Annotated[int | None, typer.Option("--port", help="端口 / port")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="进程数 / processes")] = 1,
    rules: RulesOption = None,
) -> None:
    """启动服务 / serve the API and the workbench (settings: ELIGIBILITY_*)."""
    try:
        from eligibility.api.app import run
        from eligibility.settings import read_settings
    except ImportError as error:
        refuse("not_installed", f"缺少 {error.name}", f"'{error.name}' is not installed")
    run(read_settings(host=host, port=port, rules=rules), workers)


def register(app: typer.Typer) -> None:
    app.command()(serve)
