"""Names of layers, channels, modes, bodies and profiles, written as key or Chinese label.

A rule may say ``层级: 不得报请`` for ``layer: report_bar``. Reading puts the key in the place
of the label; both forms are kept for the formatter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eligibility.documents import Item
from eligibility.shapes import Reading, text_of

Found = Iterator[tuple[str, Item]]

# What a rule names under a key, by the code that reports an unknown one.
_IN_RULES = {
    "layer": "unknown_layer",
    "profile": "unknown_profile",
    "modes": "unknown_mode",
    "channel": "unknown_channel",
    "override_by": "unknown_body",
}


def read_labels(sections: Mapping[str, Item]) -> dict[str, dict[str, str]]:
    """Key -> label of each kind of name; a label is left out where it would be ambiguous."""
    meta = sections.get("meta")
    return {
        "unknown_layer": _labelled(meta and meta.get("layers"), True),
        "unknown_mode": _labelled(meta and meta.get("modes"), True),
        "unknown_channel": _labelled(meta and meta.get("channels"), False),
        "unknown_body": _labelled(meta and meta.get("bodies"), False),
        "unknown_profile": _labelled(sections.get("profiles"), True),
    }


def _labelled(section: Item | None, inside: bool) -> dict[str, str]:
    entries = section.mapping if section else {}
    labels = {k: text_of(i.get("label") if inside else i).zh for k, i in entries.items()}
    written = list(labels.values())
    return {
        key: zh
        for key, zh in labels.items()
        if zh and zh not in labels and zh == zh.strip() and written.count(zh) == 1
    }


def use_keys(
    sections: Mapping[str, Item], labels: Mapping[str, Mapping[str, str]], reading: Reading
) -> None:
    """Put keys in the place of labels wherever such a name stands."""
    for code, item in _references(sections):
        for entry in item.sequence if isinstance(item.value, list) else [item]:
            for key, zh in labels[code].items():
                if entry.raw in (key, zh):
                    reading.word(entry, key, zh)
                    entry.value = key


def _references(sections: Mapping[str, Item]) -> Found:
    rules = sections.get("rules")
    for rule in rules.sequence if rules else []:
        for key, code in _IN_RULES.items():
            yield from _child(rule, key, code)
        defeats = rule.get("defeats")
        for child in defeats.sequence if defeats else []:
            layer = child.get("layer") or child.get("层级")
            if layer is not None:
                yield "unknown_layer", layer
    for _, parameter in _entries(sections.get("parameters")):
        values = parameter.get("values")
        for value in values.sequence if values else []:
            yield from _child(value, "profile", "unknown_profile")
    for _, court in _entries(sections.get("courts")):
        yield from _child(court, "profile", "unknown_profile")
    for _, profile in _entries(sections.get("profiles")):
        yield from _child(profile, "extends", "unknown_profile")
    meta = sections.get("meta")
    for _, layer in _entries(meta.get("layers") if meta else None):
        yield from _child(layer, "channels", "unknown_channel")
    for _, mode in _entries(meta.get("modes") if meta else None):
        yield from _child(mode, "decided_by", "unknown_body")


def _child(item: Item, key: str, code: str) -> Found:
    child = item.get(key)
    if child is not None:
        yield code, child


def _entries(section: Item | None) -> Iterator[tuple[str, Item]]:
    return iter(section.mapping.items() if section else ())
