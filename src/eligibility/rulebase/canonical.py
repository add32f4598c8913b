"""One form and one digest for every way of writing the same rule base."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.errors import Problem, Span, Text
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import NONE

_LEFT_OUT = {"digest", "warnings", "names", "span", "calendar", "derived_facts", "sole_facts"}


def canonical(value: Any) -> Any:
    """JSON data that depends on the content alone: not on language, order or layout."""
    if isinstance(value, Text):
        return [value.zh, value.en]
    if isinstance(value, (Span, Problem)):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        out = {"": type(value).__name__}
        for f in fields(value):
            if f.name not in _LEFT_OUT and not f.name.startswith("_"):
                out[f.name] = canonical(getattr(value, f.name))
        return out
    if isinstance(value, Mapping):
        return {str(k): canonical(v) for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))}
    if isinstance(value, (frozenset, set)):
        return sorted(canonical(v) for v in value)
    if isinstance(value, (list, tuple)):
        return [canonical(v) for v in value]
    if value is NONE:
        return "none"
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value


def digest(rulebase: Rulebase) -> str:
    """``sha256:…`` of the canonical form, the holiday table included."""
    years = {
        str(year): [sorted(map(str, closed)), sorted(map(str, working))]
        for year, (closed, working) in sorted(rulebase.calendar.years.items())
    }
    # modes stand in order of intrusiveness, so their order is content
    data = [canonical(rulebase), years, list(rulebase.modes)]
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
