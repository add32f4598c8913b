"""``serve``: the HTTP service and the workbench."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from eligibility.cli.output import refuse


def serve(
    host: Annotated[str, typer.Option("--host", envvar="ELIGIBILITY_HOST")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, envvar="ELIGIBILITY_PORT")
    ] = 8000,
    rules: Annotated[str | None, typer.Option("--rules", metavar="DIR")] = None,
    log_level: Annotated[str, typer.Option("--log-level", envvar="ELIGIBILITY_LOG_LEVEL")] = "info",
) -> None:
    """启动服务 / serve the API and the workbench."""
    try:
        import uvicorn

        from eligibility.api.app import create_app
    except ImportError as error:
        refuse("not_installed", f"缺少 {error.name}", f"'{error.name}' is not installed")
    if rules is not None:
        os.environ["ELIGIBILITY_RULES"] = rules
    uvicorn.run(create_app(), host=host, port=port, log_level=log_level.lower())


def register(app: typer.Typer) -> None:
    app.command()(serve)
