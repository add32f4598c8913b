"""Is the log of decisions what it was? Every link of the chain, and what hangs on it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records import checkpoints, vault
from eligibility.records.chain import BESIDE, Raw, as_text, link, stored, walk
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database
from eligibility.records.heads import Link, named
from eligibility.records.journal_check import JournalCheck, KeyCheck, told
from eligibility.records.rulebases import Library
from eligibility.records.sealing_key import key_id_of
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import CHECKPOINTS, DECISIONS, JOURNAL

MOST_SHOWN = 20

# Columns of a record and where its body says the same.
AGREEING: dict[str, tuple[str, ...]] = {
    "id": ("decision_id",),
    "case_no": ("case_no",),
    "profile": ("profile",),
    "as_of": ("as_of",),
    "outcome": ("outcome",),
    "digest": ("rulebase", "digest"),
    "engine": ("engine",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a record; ``decision_id`` is empty where none is there.

    The place of a problem of another table than that of decisions is its name; then ``seq`` is
    the number of its row, and ``decision_id`` the id where rows have one.
    """

    seq: int
    decision_id: str
    problem: Problem

    def as_dict(self) -> dict[str, Any]:
        return {"seq": self.seq, "decision_id": self.decision_id, **self.problem.as_dict()}


@dataclass(slots=True)
class Verification:
    """What was looked at and what was found; ``findings`` holds the first :data:`MOST_SHOWN`.

    ``unsealed`` records stand before the first seal or checkpoint, which vouches for them.
    ``rows`` are the events and activations that the journal stands for. ``last``, ``journal``:
    the ends of the chains.
    """

    records: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    rulebases: int = 0
    wanting: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    last: Link = field(default_factory=lambda: Link(0, None))
    rows: int = 0
    journal: Link = field(default_factory=lambda: Link(0, None))

    @property
    def intact(self) -> bool:
        return not self.wanting

    def add(self, seq: int, decision_id: str, problem: Problem) -> None:
        self.wanting += 1
        if len(self.findings) < MOST_SHOWN:
            self.findings.append(Finding(seq, decision_id, problem))

    def as_dict(self) -> dict[str, Any]:
        return {
            "intact": self.intact,
            "records": self.records,
            "unsealed": self.unsealed,
            "checkpoints": self.checkpoints,
            "rulebases": self.rulebases,
            "last": self.last._asdict(),
            "rows": self.rows,
            "journal": self.journal._asdict(),
            "wanting": self.wanting,
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": [note.as_dict() for note in self.notes],
        }


def verify(
    database: Database,
    key: LogKey,
    kept_elsewhere: Iterable[Checkpoint] = (),
    library: Library | None = None,
) -> Verification:
    """Walk the log from its first record to its last, in one state of the database.

    ``kept_elsewhere``: exported checkpoints that it must still pass through. ``library``: rule
    bases loaded by this key already. Raises RecordsError (``database_unavailable``).
    """
    made = _Verifier(key, library or Library(database, key), kept_elsewhere)
    with database.read() as connection:
        made.read_checkpoints(connection)
        made.read_journal(connection)
        for raw in walk(connection):
            made.look_at(raw)
        made.compare(connection)
    return made.finish()


class _Verifier:
    """Goes along the log once; holds the checkpoints that are still ahead."""

    def __init__(self, key: LogKey, library: Library, kept_elsewhere: Iterable[Checkpoint]) -> None:
        self.key = key
        self.library = library
        self.found = Verification()
        self.ahead: dict[int, list[str]] = {}
        self.forged: set[int] = set()
        self.bases: set[str] = set()
        self.vouched = 0  # the last record that a seal or a checkpoint vouches for
        self.entries: dict[int, list[str]] = {}  # of the journal, that checkpoints name
        self.beside: tuple[int, str, Link] | None = None  # the last that a decision names
        self.keys: KeyCheck | None = None
        self.shredded: set[str] = set()
        for checkpoint in kept_elsewhere:
            self._expect(checkpoint.seq, checkpoint.hash, checkpoint.journal)

    def read_checkpoints(self, connection: Connection) -> None:
        """Those in the database, one for each hundred records; altered ones say nothing."""
        names = ("seq", "hash", "made_at", "mac", "journal")
        for seq, hash, made_at, mac, ended in stored(connection, CHECKPOINTS, names):
            if checkpoints.fits(self.key, str(as_text(mac)), seq, hash, made_at, ended):
                self._expect(seq, str(as_text(hash)), as_text(ended))
            else:
                self.forged.add(seq)

    def read_journal(self, connection: Connection) -> None:
        """It comes first: it tells where the log of decisions ended, and what was shredded."""
        self.keys = KeyCheck(connection, self._tell)
        check = JournalCheck(self.key, self._tell, self.entries, self.keys)
        check.run(connection)
        self.found.journal, self.found.rows = check.last, check.rows
        self.shredded = check.shredded
        if check.beside is not None and check.beside.hash is not None:
            self.ahead.setdefault(check.beside.seq, []).append(check.beside.hash)
        if check.bare:
            self.found.notes.append(_bare(check.bare))

    def look_at(self, raw: Raw) -> None:
        found, before = self.found, self.found.last
        identity = str(as_text(raw.column("id")))
        computed = link(self.key, before.hash, raw.parts)
        problem = self._link_problem(raw, before, computed)
        if problem is not None:
            found.add(raw.seq, identity, problem)
        found.records += 1
        found.unsealed += raw.hash is None
        # Going on from what is stored, a record that was changed is one finding and not many.
        found.last = Link(raw.seq, raw.hash or computed)
        checkpoints = self.ahead.pop(raw.seq, [])
        if any(hash != found.last.hash for hash in checkpoints):
            found.add(raw.seq, identity, DIFFERS)
        if raw.hash is not None or checkpoints:
            self.vouched = raw.seq
        if raw.seq in self.forged:
            self.forged.remove(raw.seq)
            found.add(raw.seq, identity, _FORGED)
        if problem is None:  # else its content says nothing
            self._look_into(raw, identity)
            beside = as_text(raw.column(BESIDE))
            if beside is not None and raw.hash is not None:
                self.beside = raw.seq, identity, named(beside)

    def compare(self, connection: Connection) -> None:
        """The journal with where the last decision says that it ended; data keys with texts."""
        if self.beside is not None:
            seq, identity, link = self.beside
            named_entry = list(stored(connection, JOURNAL, ("seq", "hash"), only=link.seq))
            if not named_entry:
                self.found.add(seq, identity, told("cut_off", JOURNAL.name))
            elif as_text(named_entry[0][1]) != link.hash:
                self.found.add(seq, identity, told("differs", JOURNAL.name))
        if self.keys is not None:
            self.keys.finish(self.shredded)

    def finish(self) -> Verification:
        last = self.found.last.seq
        if last > self.vouched and not self.found.wanting:  # or the seals are what was removed
            self.found.add(last, "", _UNVOUCHED)
        for seq in sorted(self.forged):
            self.found.add(seq, "", _FORGED)
        for seq in sorted(self.ahead):
            self.found.add(seq, "", _cut_off(last))
        return self.found

    def _tell(self, table: str, seq: int, identity: str, why: str) -> None:
        self.found.add(seq, identity, told(why, table))

    def _expect(self, seq: int, hash: str, ended: str | None = None) -> None:
        if seq:
            self.ahead.setdefault(seq, []).append(hash)
        if ended is not None:
            entry = named(ended)
            self.entries.setdefault(entry.seq, []).append(str(entry.hash))
        self.found.checkpoints += 1

    def _link_problem(self, raw: Raw, before: Link, computed: str) -> Problem | None:
        sealed = self.found.records > self.found.unsealed  # one before it is
        if raw.hash is None:
            return _UNSEALED if sealed else None
        if raw.hash == computed:
            return None
        if not self.key.made(raw.hash):
            return OTHER_KEY
        missing = raw.seq - before.seq - 1
        # Records without a seal may have left numbers out.
        return removed(missing) if missing and (sealed or not before.seq) else _CHANGED

    # --- what a record says --------------------------------------------------------------------

    def _look_into(self, raw: Raw, identity: str) -> None:
        if key_id_of(str(as_text(raw.column("body")))) is not None:
            self._look_at_sealed(raw, identity)
            return
        try:
            body = json.loads(_whole(raw.column("body")))
            json.loads(_whole(raw.column("request")))
        except ValueError:
            self.found.add(raw.seq, identity, _UNREADABLE)
            return
        odd = [name for name, path in AGREEING.items() if not _agrees(raw, name, body, path)]
        if odd:
            self.found.add(raw.seq, identity, _contradicts(odd))
        self._look_up_once(raw, identity)

    def _look_at_sealed(self, raw: Raw, identity: str) -> None:
        """Its content cannot be compared without the data key, whose being there can be."""
        if self.keys is not None:
            for name in vault.SEALED:
                text = as_text(raw.column(name))
                if text is not None:
                    self.keys.see(DECISIONS.name, raw.seq, identity, text)
        self._look_up_once(raw, identity)

    def _look_up_once(self, raw: Raw, identity: str) -> None:
        digest = str(as_text(raw.column("digest")))
        if digest not in self.bases:
            self.bases.add(digest)
            self._look_up(digest, raw.seq, identity)

    def _look_up(self, digest: str, seq: int, identity: str) -> None:
        try:
            self.library.get(digest)
        except EligibilityError as error:
            if error.code == "database_unavailable":
                raise
            self.found.add(seq, identity, error.problems[0])
            return
        self.found.rulebases += 1
        note = self.library.note(digest)
        if note is not None:
            self.found.notes.append(note)


def _whole(part: Part) -> str:
    """A text of a record. Raises :class:`ValueError` if it is none."""
    return part.decode() if isinstance(part, bytes) else str(part)


def _agrees(raw: Raw, name: str, body: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(body, dict) or key not in body:
            return False
        body = body[key]
    column = raw.column(name)
    return bool(body == (None if column is None else str(as_text(column))))


# --- what can be wrong ------------------------------------------------------------------------

_CHANGED = Problem(
    "record_changed",
    Text(
        "此记录或紧接其前的记录被改动、调换或者插入",
        "this record, or the one right before it, was changed, moved or put in",
    ),
)
_UNSEALED = Problem(
    "record_unsealed",
    Text("此记录没有封存值，而其前的记录有", "this record has no seal, and one before it has"),
)
_UNVOUCHED = Problem(
    "record_unsealed",
    Text(
        "至此各条记录没有封存值，也没有检查点，不能证明未被改动",
        "the records up to here have neither seals nor a checkpoint: nothing vouches for them",
    ),
)
OTHER_KEY = Problem(
    "other_log_key", Text("此记录不是用本密钥封存的", "this record was sealed with another key")
)
_FORGED = Problem(
    "checkpoint_altered",
    Text("此检查点不是用本密钥所作，或者已被改动", "not made with this key, or altered"),
)
DIFFERS = Problem(
    "checkpoint_differs",
    Text("记录与检查点不符", "the log was another one when the checkpoint was made"),
)
_UNREADABLE = Problem(
    "record_unreadable",
    Text("记录的请求或决定不能读取", "the request or the answer on record cannot be read"),
)


def removed(count: int) -> Problem:
    return Problem(
        "records_removed",
        Text(f"此记录之前缺少 {count} 条记录", f"before this one {count} records are missing"),
    )


def _cut_off(last: int) -> Problem:
    return Problem(
        "records_cut_off",
        Text(
            f"检查点或留痕所指的记录已不存在，记录止于第 {last} 号",
            f"the record that a checkpoint or the journal names is gone; the log ends at {last}",
        ),
    )


def _bare(count: int) -> Problem:
    return Problem(
        "rows_unvouched",
        Text(
            f"升级前的 {count} 个事件和启用尚无留痕；启动服务或作一次检查点即予覆盖",
            f"nothing vouches yet for {count} events and activations from before the journal;"
            " start the service or make a checkpoint to cover them",
        ),
        JOURNAL.name,
    )


def _contradicts(names: list[str]) -> Problem:
    return Problem(
        "record_contradicts",
        Text(
            f"决定内容与记录的栏目不一致：{'、'.join(names)}",
            f"the answer does not agree with its columns: {', '.join(names)}",
        ),
    )
