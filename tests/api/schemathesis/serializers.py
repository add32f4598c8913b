"""How a batch is written: a text, line by line."""

from __future__ import annotations

from typing import Any

import schemathesis

NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def ndjson(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """A body of another type than text cannot be sent: written out, it is a text."""
    return case.media_type != NDJSON or isinstance(case.body, (str, bytes))
