"""How what is on record of a case is told: its decisions, events and duties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from eligibility.decision.events import Event, describe_event
from eligibility.decision.follow_up import entry_on
from eligibility.records.decisions import Recorded
from eligibility.records.events import StoredEvent
from eligibility.records.ledger import DutyRow
from eligibility.rulebase.model import Rulebase

Data = dict[str, Any]


def ledger_entry(row: DutyRow, state: str, as_of: date) -> Data:
    """A row of the ledger as an entry, with its case."""
    entry = entry_on(json.loads(row.body), state, as_of)
    return {"case_no": row.case_no, "decision_id": row.decision_id, **entry}


def summary(decision: Recorded) -> Data:
    """A decision in the list of its case."""
    return {
        "id": decision.id,
        "outcome": decision.outcome,
        "as_of": decision.as_of.isoformat(),
        "decided_at": decision.decided_at.isoformat(),
        "profile": decision.profile,
        "rulebase": decision.digest,
        "follows": decision.follows,
    }


def events_told(
    found: Sequence[Event], stands: Sequence[Event], stored: Sequence[StoredEvent], base: Rulebase
) -> list[Data]:
    """Every event, also the corrected ones, by day; ``stands`` says whether it counts."""
    recorded = {event.id: event.recorded_at.isoformat() for event in stored}
    counted = {event.id for event in stands}
    return [
        describe_event(event, base)
        | {"stands": event.id in counted, "recorded_at": recorded[event.id]}
        for event in sorted(found, key=Event.order)
    ]
