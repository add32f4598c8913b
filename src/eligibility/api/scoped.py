"""What is on record, as far as a caller may see it: of its own courts.

What is another court's is answered exactly like what does not exist, wherever it is only read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from eligibility.api.access import Caller, other_court
from eligibility.records import decisions, ledger, scope
from eligibility.records.decisions import Recorded
from eligibility.records.follow_up import FollowUps, unknown_case
from eligibility.records.ledger import DutyRow
from eligibility.vocabulary.payload import read_case

log = logging.getLogger("eligibility.access")


class Scoped:
    """The records as callers see them."""

    def __init__(self, followed: FollowUps) -> None:
        self._followed = followed

    def decision(self, decision_id: str, caller: Caller) -> Recorded:
        """Raises NotFound (``unknown_decision``)."""
        with self._followed.database.read() as connection:
            found = decisions.find(connection, decision_id)
            if scope.sees(connection, found.case_key, caller.courts):
                return found
        _withheld("a decision", caller)
        raise decisions.unknown(decision_id)

    def check_case(self, case_key: str, caller: Caller) -> None:
        """Raises NotFound (``unknown_case``); nothing where the case does not exist at all."""
        if not self._sees(case_key, caller):
            _withheld("a case", caller)
            raise unknown_case(case_key)

    def duty(self, duty_id: str, day: date, caller: Caller) -> tuple[DutyRow, dict[str, Any]]:
        """A duty of a case of the caller, or that it owes. Raises NotFound (``unknown_duty``)."""
        row, entry = self._followed.duty(duty_id, day)
        if caller.courts is None or row.court_id in caller.courts:
            return row, entry
        if not self._sees(row.case_key, caller):
            _withheld("a duty", caller)
            raise ledger.unknown(duty_id)
        return row, entry

    def check_event(self, event: Mapping[str, Any], caller: Caller) -> None:
        """That an event is of a case of the caller.

        A decision that it names is looked at before anything is compared with it. Raises
        NotFound (``unknown_decision``, ``unknown_case``).
        """
        if caller.courts is None:
            return
        decision_id, case_no = event.get("decision_id"), event.get("case_no")
        if isinstance(decision_id, str):
            self.decision(decision_id, caller)
        if isinstance(case_no, str) and case_no:
            self.check_case(case_no, caller)

    def check_owed(self, row: DutyRow, caller: Caller) -> None:
        """That a duty is of a case of the caller, who can see it. Raises AccessError (403)."""
        if not self._sees(row.case_key, caller):
            raise other_court("id", "the duty is of another court's case")

    def check_recording(self, case: Any, caller: Caller) -> None:
        """That a decision on this case is the caller's to record.

        Its executing court is one of the caller's, and what is on record under its number, if
        anything, is too. Raises AccessError (403), and FactsError for a case with misfits.
        """
        if caller.courts is None:
            return
        facts = read_case(case, self._followed.decider.rulebase.vocabulary).facts
        named = facts.get("court_id")
        court = self._followed.decider.register.find(named)
        if (court.id if court else named) not in caller.courts:
            raise other_court("court_id", "a case of another court or of none")
        number = facts.get("case_no")
        if isinstance(number, str) and number and not self._sees(number, caller):
            with self._followed.database.read() as connection:
                if not scope.is_new(connection, number):
                    raise other_court("case_no", "the case number is another court's")

    def _sees(self, case_key: str, caller: Caller) -> bool:
        with self._followed.database.read() as connection:
            return scope.sees(connection, case_key, caller.courts)


def _withheld(what: str, caller: Caller) -> None:
    log.warning("withheld %s of another court, or of none, from %r", what, caller.name)
