"""Settings of the service, from the environment (``ELIGIBILITY_*``) or from the command line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from eligibility.errors import MalformedInput, Problem, Text

EngineName = Literal["verified", "native", "durable"]
LogFormat = Literal["json", "text"]
LogLevel = Literal["critical", "error", "warning", "info", "debug"]
Auth = Literal["none", "keys", "oidc", "keys+oidc"]
LOG_KEY_FILE = "log.key"
SECRETS = frozenset({"log_key", "sealing_key", "database_url"})
"""Settings that are handed to no other process; each may be a file of ``secrets_dir``."""
_PREFIX = "ELIGIBILITY_"
_KEY_BYTES = 32


class Settings(BaseSettings):
    """What a service is started with."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    rules: str | None = Field(
        default=None, description="folder of the rule base; default: the one shipped"
    )
    engine: EngineName = Field(
        default="verified", description="verified runs two engines and answers if they agree"
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    log_level: LogLevel = Field(default="info", description="what the server logs")
    log_format: LogFormat = Field(default="json", description="form of a line of the log")
    tracing: bool = Field(
        default=False, description="send OpenTelemetry spans to OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    rate_per_second: float | None = Field(
        default=None,
        gt=0,
        description="requests a second of one caller (key, subject, else address), in each process",
    )
    rate_burst: int | None = Field(
        default=None, ge=1, description="requests of one caller at once; default: the rate"
    )
    max_concurrent: int = Field(
        default=512, ge=1, description="requests at work in a process; more are answered 503"
    )
    request_timeout: float = Field(default=60, gt=0, description="seconds to answer a request")
    body_timeout: float = Field(default=30, gt=0, description="seconds for a body to arrive")
    shutdown_delay: float = Field(
        default=0, ge=0, description="seconds to serve on, not ready, when told to stop"
    )
    shutdown_timeout: int = Field(
        default=60, ge=1, description="seconds for requests at work to end when stopping"
    )
    data_dir: str = Field(
        default_factory=lambda: str(Path.home() / ".local" / "share" / "eligibility"),
        description="folder of the embedded database",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="database; default: the SQLite file in the data folder",
    )
    secrets_dir: str | None = Field(
        default=None,
        description="folder of files that each hold a setting: eligibility_log_key, "
        "eligibility_sealing_key, eligibility_database_url",
    )
    log_key: str | None = Field(
        default=None,
        repr=False,
        description="secret that seals the log of decisions; default: log.key in the data folder",
    )
    sealing_key: str | None = Field(
        default=None,
        repr=False,
        description="secret that the data of cases is sealed under; default: it is not sealed",
    )
    auth: Auth = Field(default="none", description="who may call; none: this computer only")
    oidc_issuer: str | None = Field(default=None, description="issuer of OpenID Connect tokens")
    oidc_audience: str | None = Field(default=None, description="audience that tokens must name")
    oidc_jwks_url: str | None = Field(
        default=None, description="keys of the issuer; default: by its discovery document"
    )
    oidc_roles_claim: str = Field(default="roles", description="claim with the roles of a caller")
    oidc_courts_claim: str = Field(
        default="courts", description="claim with the courts of a caller; '*': all"
    )
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="a larger request is refused unread"
    )
    max_docket_bytes: int = Field(
        default=2 * 1024**3, ge=1024, description="a larger docket is refused"
    )
    docket_timeout: float = Field(
        default=3600, gt=0, description="seconds for a docket to arrive and be kept"
    )
    screenings_dir: str | None = Field(
        default=None,
        description="folder of dockets and results; default: screenings in the data folder",
    )
    screening_jobs: int = Field(
        default=1, ge=0, description="dockets screened at once on this machine; 0: none here"
    )
    screening_workers: int = Field(
        default=2, ge=1, description="processes that screen a large docket together"
    )
    screening_queue: int = Field(
        default=20, ge=1, description="dockets that wait or are screened; more are answered 503"
    )
    screening_lease: float = Field(
        default=60, ge=2, description="seconds until a job whose process vanished is taken up again"
    )
    screening_retention_days: float = Field(
        default=7, gt=0, description="days after its end that a job is deleted with its result"
    )


def read_settings(**given: Any) -> Settings:
    """The settings: what is given (and not None) first, then the environment, then the secrets.

    Raises :class:`MalformedInput`, with one problem for each setting that cannot be read.
    """
    said = {name: value for name, value in given.items() if value is not None}
    folder = said.get("secrets_dir") or os.environ.get(f"{_PREFIX}SECRETS_DIR")
    try:
        if folder:
            _check_secrets(Path(folder))
            said["_secrets_dir"] = folder
        return Settings(**said)
    except ValidationError as error:
        raise MalformedInput(_problem(dict(e)) for e in error.errors()) from None


def _check_secrets(folder: Path) -> None:
    """Refuse what would otherwise pass for a secret that is not set.

    A log key that is not found would be made anew, and a database as well.
    """
    place = folder
    try:
        for place in sorted(folder.iterdir()):
            name = place.name.lower()
            if not name.startswith(_PREFIX.lower()):
                continue
            if name.removeprefix(_PREFIX.lower()) not in SECRETS:
                known = " ".join(sorted(f"{_PREFIX.lower()}{secret}" for secret in SECRETS))
                _refuse("bad_setting", f"没有这个密文；可用 {known}", f"is none of {known}", place)
            if folder.resolve() not in place.resolve().parents or not place.is_file():
                _refuse("bad_setting", "不是该目录内的文件", "is not a file in the folder", place)
            if not place.read_text("utf-8").strip():
                _refuse("bad_setting", "文件是空的", "the file is empty", place)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "UTF-8"
        _refuse("bad_setting", f"密文不能读取：{why}", f"cannot be read: {why}", place)


def log_secret(settings: Settings, create: bool = True) -> str:
    """The secret that seals the log of decisions: the one set, else that of the key file.

    The file is made, for its owner alone, where there is none. With ``create`` false that
    raises instead (``no_log_key``). Raises :class:`MalformedInput` (``bad_log_key``) where the
    file can be neither read nor made.
    """
    if settings.log_key is not None:
        return settings.log_key
    path = Path(settings.data_dir) / LOG_KEY_FILE
    try:
        if not path.exists():
            if not create:
                _refuse("no_log_key", "没有记录密钥", "there is no key of the log", path)
            keep_secret(path, secrets.token_hex(_KEY_BYTES))
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse("bad_log_key", f"记录密钥不能使用：{reason}", f"cannot be used: {reason}", path)


def keep_secret(path: Path, secret: str) -> None:
    """A key file, whole and on the disk before anybody can read it under its name.

    One that is there stays. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a renaming, it never replaces the key of another process
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse(code: str, zh: str, en: str, path: Path) -> NoReturn:
    raise MalformedInput(Problem(code, Text(zh, en), str(path)))


def _problem(found: dict[str, Any]) -> Problem:
    # pydantic names a setting of the environment by its variable, a given one by its field.
    name = str(found["loc"][0]).upper().removeprefix(_PREFIX)
    text = Text(f"设置有误：{found['msg']}", str(found["msg"]))
    return Problem("bad_setting", text, f"{_PREFIX}{name}")
