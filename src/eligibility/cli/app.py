"""The typer application: every command in its place."""

from __future__ import annotations

from typing import Annotated

import typer

from eligibility.cli import (
    allocating,
    backing_up,
    checking,
    deciding,
    following,
    keys,
    log,
    noticing,
    reading,
    rulebases,
    screening,
    serving,
    shredding,
    supervising,
)
from eligibility.cli.output import emit

app = typer.Typer(
    name="eligibility",
    help="交叉执行条件审查 / decides when a stuck enforcement case qualifies for cross-execution",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="版本 / version")] = False,
) -> None:
    """Print the version, or the help where no command is named."""
    if version:
        from eligibility import __version__

        emit(f"eligibility {__version__}\n")
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        emit(context.get_help() + "\n")
        raise typer.Exit(0)


deciding.register(app)
checking.register(app)
following.register(app)
noticing.register(following.follow_ups_app)
supervising.register(app)
allocating.register(app)
screening.register(app)
log.register(app)
shredding.register(log.log_app)
backing_up.register(app)
keys.register(app)
reading.register(app)
rulebases.register(app)
serving.register(app)
