"""The log of the service: one line a request on stderr, without anything of a case."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from eligibility.api.exchange import CURRENT, dumps
from eligibility.settings import Settings


class Lines(logging.Formatter):
    """One JSON object a line, or the same as text.

    Of an exception it shows type and places, never the message: that may quote a case.
    """

    def __init__(self, form: str = "json") -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of(record)
        if self.form == "json":
            return dumps(fields)
        said = " ".join(f"{k}={v}" for k, v in fields.items() if k not in FIRST)
        return " ".join([*(str(fields[name]) for name in FIRST), said]).replace("\n", " ").rstrip()


FIRST = ("time", "level", "event")


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
    }
    exchange = CURRENT.get()
    if exchange is not None:
        fields["request_id"] = exchange.id
    fields.update(getattr(record, "fields", {}))
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        fields["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        fields["trace"] = [f"{f.filename}:{f.lineno} {f.name}" for f in frames]
    return fields


def configuration(settings: Settings) -> dict[str, Any]:
    """For uvicorn, in every worker; its own access log, which shows paths, is off."""
    level = settings.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": Lines, "form": settings.log_format}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            name: {"handlers": ["stderr"], "level": level, "propagate": False}
            for name in ("uvicorn", "eligibility")
        },
    }
