"""Small readers of what shapes have checked: plain values, lists, periods."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.documents import Item
from eligibility.rulebase.model import Load, Period
from eligibility.shapes import text_of


def plain(item: Item, key: str, default: Any) -> Any:
    """The plain value under a key, or the default where absent."""
    child = item.get(key)
    return default if child is None or child.value is None else child.plain()


def children(item: Item | None, key: str) -> Iterator[tuple[str, Item]]:
    """The entries of a mapping under a key."""
    child = item.get(key) if item else None
    return iter(child.mapping.items() if child else ())


def sequence(item: Item, key: str) -> list[Item]:
    """The entries of a list under a key."""
    child = item.get(key)
    return child.sequence if child else []


def strings(item: Item, key: str) -> tuple[str, ...]:
    """The texts of a list under a key."""
    return tuple(i.value for i in sequence(item, key) if isinstance(i.value, str))


def site(item: Item | None) -> tuple[Decimal, Decimal] | None:
    """Latitude and longitude of a court's seat."""
    found = [plain(item, key, None) for key in ("lat", "lon")] if item else []
    return (Decimal(found[0]), Decimal(found[1])) if found and None not in found else None


def load(item: Item | None) -> Load | None:
    """What a court has to do and with whom."""
    return Load(**{key: child.plain() for key, child in item.mapping.items()}) if item else None


def period(item: Item | None) -> Period:
    """When something holds in law: ``{from, to, note}``."""
    if item is None:
        return Period()
    start, until = plain(item, "from", None), plain(item, "to", None)
    note = text_of(item.get("note"))
    return Period(
        start if isinstance(start, date) else None,
        until if isinstance(until, date) else None,
        note,
    )
