"""Recording decisions, many in one transaction.

What can be computed before is computed by the thread that asks; inside the transaction there
is only what depends on the records before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select, union_all

from eligibility.errors import EligibilityError
from eligibility.records import chain, decisions, idempotency, ledger, vault
from eligibility.records.database import Database, RecordsError, insert_all, lock_case
from eligibility.records.group_commit import Backlog, GroupCommit
from eligibility.records.idempotency import Once
from eligibility.records.ledger import DutyRow
from eligibility.records.sealing_key import DataKey, packed
from eligibility.records.seals import LogKey
from eligibility.records.tables import (
    CASE_KEYS,
    DECISIONS,
    DUTIES,
    EVENTS,
    IDEMPOTENCY,
    PROJECTIONS,
)
from eligibility.records.vault import Vault

NO_VAULT = Vault()


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision to be recorded.

    ``values``: its columns but ``seq``, ``hash`` and ``case_key``. ``duties``: its rows of the
    ledger where nothing of the case is on record yet. ``body``: that column as bytes, which
    spares writing it out for the chain. ``ready``: the columns that will be sealed, packed.
    """

    values: dict[str, Any]
    once: Once | None
    duties: Sequence[DutyRow]
    now: datetime
    body: bytes | None = None
    ready: dict[str, bytes] = field(default_factory=dict)

    def packed(self) -> Entry:
        """With what needs no data key done for sealing."""
        texts = {name: self.values[name] for name in vault.SEALED}
        return replace(self, ready={n: packed(t) for n, t in texts.items() if t is not None})

    @property
    def case_key(self) -> str:
        """What holds the case together, unless the decision follows another."""
        return decisions.case_key_of(self.values["case_no"], self.values["id"])


class Recorder:
    """Writes entries in groups. ``keep`` keeps the rule bases, ``project`` computes the ledger of
    a case with decisions or events already on record."""

    def __init__(
        self,
        database: Database,
        log_key: LogKey | None,
        keep: Callable[[Connection, datetime], None],
        project: Callable[[Connection, str, datetime], None],
        vault: Vault = NO_VAULT,
    ) -> None:
        self._database = database
        self._log_key = log_key
        self._keep = keep
        self._project = project
        self._vault = vault
        self._group: GroupCommit[Entry, str | None] = GroupCommit(self._write)

    def record(self, entry: Entry) -> str | None:
        """Record an entry for good; None, or the body that its key was answered with before.

        Raises Conflict, NotFound, Shredded, Unreadable, RecordsError.
        """
        return self._group.submit(self._ready(entry))

    def record_all(self, entries: Sequence[Entry]) -> list[str | BaseException | None]:
        """The same of several, in as few transactions as may be; each that fails, fails alone.

        Raises RecordsError (``records_busy``) where too many wait: none of them is recorded.
        """
        return self._group.submit_all([self._ready(entry) for entry in entries])

    def _ready(self, entry: Entry) -> Entry:
        return entry if self._vault.key is None else entry.packed()

    def backlog(self) -> Backlog:
        """What waits to be recorded."""
        return self._group.backlog()

    def _write(self, entries: Sequence[Entry]) -> Sequence[str | Exception | None]:
        try:
            return self._together(entries)
        except RecordsError:
            raise
        except Exception:
            if len(entries) == 1:
                raise
        # Nothing of the group was kept. One of them is at fault, and fails alone.
        return [self._alone(entry) for entry in entries]

    def _alone(self, entry: Entry) -> str | Exception | None:
        try:
            return self._together([entry])[0]
        except Exception as error:
            return error

    def _together(self, entries: Sequence[Entry]) -> list[str | Exception | None]:
        """All in one transaction; an entry that is refused leaves nothing in it."""
        with self._database.begin() as connection:
            made = _Group(connection, self._log_key, self._vault)
            self._keep(connection, entries[0].now)
            made.look_up(entries)
            outcomes: list[str | Exception | None] = []
            for entry in entries:
                try:
                    outcomes.append(made.add(entry))
                except RecordsError:
                    raise
                except EligibilityError as error:
                    outcomes.append(error)
            made.insert()
            for key, now in made.projected.items():
                self._project(connection, key, now)
        return outcomes


class _Group:
    """The rows of one transaction, inserted at its end."""

    def __init__(self, connection: Connection, log_key: LogKey | None, vault: Vault) -> None:
        self.connection = connection
        self.vault = vault
        self._reader = vault.reader(connection)
        self._keys: dict[str, DataKey] = {}
        self._looked_up: set[str] = set()
        # First of all locks: groups of several processes would else wait for each other.
        self.log = chain.Appending(connection, log_key)
        self.projected: dict[str, datetime] = {}
        # By key: hash of the request, id and body of its decision, as they are kept.
        self._answers: dict[str, tuple[str, str, str]] = {}
        self._known: set[str] = set()  # cases with something on record
        self._new_keys: list[dict[str, Any]] = []
        self._once: list[dict[str, Any]] = []
        self._duties: list[dict[str, Any]] = []
        self._marks: list[dict[str, Any]] = []

    def look_up(self, entries: Sequence[Entry]) -> None:
        """What is on record of the keys and cases of the group."""
        keys = {entry.once.key for entry in entries if entry.once}
        if keys:
            self._answers = idempotency.answers(self.connection, keys)
        cases = {entry.case_key for entry in entries}
        for case in sorted(cases):
            lock_case(self.connection, case)
        self._known = _on_record(self.connection, cases)
        self._keys, self._looked_up = self.vault.keys_of(self.connection, cases), cases

    def add(self, entry: Entry) -> str | None:
        """None, or the answer that the key of the entry has already."""
        once, values = entry.once, entry.values
        if once is not None and once.key in self._answers:
            hash, identity, body = self._answers[once.key]
            opened = self._reader.text
            idempotency.check(once, opened(idempotency.place(identity), hash))
            return opened(f"decisions.body:{identity}", body)
        key = entry.case_key
        if values["follows"] is not None:
            found = self.log.of(values["follows"])
            earlier_key = found or decisions.find(self.connection, values["follows"]).case_key
            key = values["case_no"] or earlier_key
        data_key = self._data_key(key, entry.now)
        kept = {**values, **vault.sealed_columns(data_key, values["id"], entry.ready)}
        text = entry.body if data_key is None else None  # the chain seals what is kept
        self.log.add({**kept, "case_key": key}, entry.now, text)
        if once is not None:
            row = idempotency.row(once, values["id"], entry.now)
            place = idempotency.place(values["id"])
            row["request_hash"] = vault.sealed_text(data_key, place, once.request_hash)
            self._answers[once.key] = (row["request_hash"], values["id"], kept["body"])
            self._once.append(row)
        self._put_duties(key, entry, data_key)
        return None

    def _data_key(self, case_key: str, now: datetime) -> DataKey | None:
        if self.vault.key is None:
            return None
        if case_key not in self._looked_up:  # a case that the decision before names
            self._looked_up.add(case_key)
            self._keys |= self.vault.keys_of(self.connection, [case_key])
        if case_key not in self._keys:
            self._keys[case_key], row = self.vault.new_key(case_key, now)
            self._new_keys.append(row)
        return self._keys[case_key]

    def _put_duties(self, key: str, entry: Entry, data_key: DataKey | None) -> None:
        if entry.values["follows"] is not None or key in self._known:
            lock_case(self.connection, key)
            self.projected[key] = entry.now
            return
        self._known.add(key)
        self._duties += [ledger.sealed(row, data_key).columns() for row in entry.duties]
        self._marks.append(ledger.mark(key, entry.now, entry.values["digest"]))

    def insert(self) -> None:
        self.log.insert()
        for table, rows in (
            (CASE_KEYS, self._new_keys),
            (IDEMPOTENCY, self._once),
            (DUTIES, self._duties),
            (PROJECTIONS, self._marks),
        ):
            if rows:
                insert_all(self.connection, table, rows)


def _on_record(connection: Connection, cases: Iterable[str]) -> set[str]:
    """Those of the cases that have a decision, an event or a projection."""
    return set(connection.execute(_ON_RECORD, {"cases": list(cases)}).scalars())


_CASES: BindParameter[Any] = bindparam("cases", expanding=True)
_ON_RECORD = union_all(
    *(
        select(table.c.case_key).where(table.c.case_key.in_(_CASES))
        for table in (DECISIONS, EVENTS, PROJECTIONS)
    )
)
