"""Settings of the service, from the environment (``ELIGIBILITY_*``) or from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from eligibility.errors import MalformedInput, Problem, Text

EngineName = Literal["verified", "native", "durable"]
LogLevel = Literal["critical", "error", "warning", "info", "debug"]


class Settings(BaseSettings):
    """What a service is started with."""

    model_config = SettingsConfigDict(env_prefix="ELIGIBILITY_", frozen=True, extra="forbid")

    rules: str | None = Field(
        default=None, description="folder of the rule base; default: the one shipped"
    )
    engine: EngineName = Field(
        default="verified", description="verified runs two engines and answers if they agree"
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    log_level: LogLevel = Field(default="info", description="what the server logs")
    data_dir: str = Field(
        default_factory=lambda: str(Path.home() / ".local" / "share" / "eligibility"),
        description="folder of the embedded database",
    )
    database_url: str | None = Field(
        default=None, description="database; default: the SQLite file in the data folder"
    )
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="a larger request is refused unread"
    )


def read_settings(**given: Any) -> Settings:
    """The settings: what is given (and not None) first, then the environment.

    Raises :class:`MalformedInput`, with one problem for each setting that cannot be read.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise MalformedInput(_problem(dict(e)) for e in error.errors()) from None


def _problem(found: dict[str, Any]) -> Problem:
    # pydantic names a setting of the environment by its variable, a given one by its field.
    name = str(found["loc"][0]).upper().removeprefix("ELIGIBILITY_")
    text = Text(f"设置有误：{found['msg']}", str(found["msg"]))
    return Problem("bad_setting", text, f"ELIGIBILITY_{name}")
