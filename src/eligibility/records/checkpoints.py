"""Checkpoints: how far the log of decisions reached at some time, to be kept elsewhere.

A log whose end is cut off is a sound chain still, only shorter. A checkpoint kept outside the
database tells; those inside do so only until they are removed as well.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from eligibility.documents import read_json
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.records.heads import Link
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import CHECKPOINTS, in_utc

CHECKPOINT = "eligibility checkpoint 1"
BOTH = "eligibility checkpoint 2"
"""Of a checkpoint that names the end of the journal as well."""

_EMPTY = Link(0, None)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """At ``made_at`` the log reached the record ``seq`` with this ``hash``; ``mac`` seals that.

    ``journal``: the end of the journal (:meth:`Link.told`), where there was one. ``seq`` 0:
    no decision was on record yet.
    """

    seq: int
    hash: str
    made_at: datetime
    mac: str
    journal: str | None = None

    def holds(self, key: LogKey) -> bool:
        """Whether the holder of the key made it so."""
        return fits(key, self.mac, self.seq, self.hash, self.made_at, self.journal)

    def as_dict(self) -> dict[str, object]:
        """As it is exported: one JSON object, read back by :func:`read`."""
        said = asdict(self) | {"made_at": self.made_at.isoformat()}
        if self.journal is None:
            del said["journal"]
        return said


def fits(key: LogKey, mac: str, seq: Part, hash: Part, made_at: Part, journal: Part | None) -> bool:
    """Whether the key sealed a checkpoint that says this."""
    if journal is None:
        return key.fits(mac, CHECKPOINT, seq, hash, made_at)
    return key.fits(mac, BOTH, seq, hash, made_at, journal)


def made(key: LogKey, seq: int, hash: str, now: datetime, journal: Link = _EMPTY) -> Checkpoint:
    """A checkpoint of the record ``seq`` and the end of the journal, to be kept elsewhere."""
    now, told = in_utc(now), journal.told()
    parts: tuple[Part, ...] = (seq, hash, now)
    mac = key.seal(CHECKPOINT, *parts) if told is None else key.seal(BOTH, *parts, told)
    return Checkpoint(seq, hash, now, mac, told)


def write(
    connection: Connection,
    key: LogKey,
    seq: int,
    hash: str,
    now: datetime,
    journal: Link = _EMPTY,
) -> Checkpoint:
    """Keep a checkpoint of the record ``seq``."""
    kept = made(key, seq, hash, now, journal)
    connection.execute(insert(CHECKPOINTS).values(asdict(kept)).inline())
    return kept


def at(connection: Connection, seq: int) -> Checkpoint | None:
    """The checkpoint kept of a record."""
    row = connection.execute(select(CHECKPOINTS).where(CHECKPOINTS.c.seq == seq)).mappings().first()
    return None if row is None else Checkpoint(**row)


def read(text: str, key: LogKey, place: str) -> list[Checkpoint]:
    """Exported checkpoints, one a line.

    Raises :class:`MalformedInput` (``bad_checkpoint``) for a line that is none, that was
    altered, or that another key sealed.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise _refused(place)
    return [_line(line, key, f"{place}:{number}") for number, line in lines]


def _line(line: str, key: LogKey, place: str) -> Checkpoint:
    try:
        said = read_json(line)
        moment = datetime.fromisoformat(said["made_at"])
        journal = said.get("journal")
        found = Checkpoint(
            int(said["seq"]),
            str(said["hash"]),
            in_utc(moment),
            str(said["mac"]),
            None if journal is None else str(journal),
        )
    except (EligibilityError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _refused(place) from error
    if not found.holds(key):
        raise _refused(place)
    return found


def _refused(place: str) -> MalformedInput:
    said = Text(
        "不是用本密钥封存的检查点，或者已被改动",
        "not a checkpoint that this key sealed, or an altered one",
    )
    return MalformedInput(Problem("bad_checkpoint", said, place))
