"""What a decision found on the way, and the versions of what computed it: for its record."""

from __future__ import annotations

from importlib.metadata import version
from platform import python_version
from typing import Any

from eligibility import __version__
from eligibility.decision.assess import Assessment
from eligibility.records.events import canonical_json
from eligibility.vocabulary.model import CASE
from eligibility.vocabulary.values import to_wire

VERSIONS = canonical_json(
    {
        "eligibility": __version__,
        "durable_rules": version("durable-rules"),
        "python": python_version(),
    }
)
"""The program with its own engine, the other engine, and what runs them."""


def findings(found: Assessment) -> dict[str, Any]:
    """``derived``: the derived facts that are known, those of records in their order.
    ``verdicts``: the rules that hold and those that do not; of all others it is unknown."""
    vocabulary = found.program.lowered.rulebase.vocabulary
    derived: dict[str, Any] = {}
    for fact in vocabulary.derived_facts:
        if fact.scope == CASE:
            derived[fact.key] = to_wire(fact, found.derived.facts.get(fact.key))
        else:
            stores = found.derived.records.get(fact.scope, ())
            derived[fact.key] = [to_wire(fact, store.get(fact.key)) for store in stores]
    rules = found.program.lowered.rules
    true, possible = found.verdicts.true, found.verdicts.possible
    return {
        "derived": {key: value for key, value in derived.items() if value not in (None, [])},
        "verdicts": {
            "true": [r.id for i, r in enumerate(rules) if true >> i & 1],
            "false": [r.id for i, r in enumerate(rules) if not possible >> i & 1],
        },
    }
