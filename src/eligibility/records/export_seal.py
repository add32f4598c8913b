"""The seal of an exported file: that not one byte of it is another, and none is missing.

It stands beside the file (``log.ndjson.seal``), one JSON object, and is made where the key of
the log is at hand.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

from eligibility.documents import read_json
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.records.seals import LogKey
from eligibility.records.tables import in_utc

PURPOSE = "eligibility export 1"
SUFFIX = ".seal"


@dataclass(frozen=True, slots=True)
class ExportSeal:
    """A file of so many ``bytes`` and ``records`` has this digest.

    ``partial``: it was asked for a court or a period, and holds those records only.
    """

    sha256: str
    bytes: int
    records: int
    partial: bool
    made_at: datetime
    mac: str

    def holds(self, key: LogKey) -> bool:
        """Whether the holder of the key made it so."""
        return key.fits(self.mac, PURPOSE, *self._parts())

    def fits(self, file: Path) -> bool:
        """Whether the file is the one that was sealed. Raises OSError."""
        return file.stat().st_size == self.bytes and digest(file) == self.sha256

    def text(self) -> str:
        """As it stands in its file."""
        said = asdict(self) | {"made_at": self.made_at.isoformat()}
        return json.dumps(said) + "\n"

    def _parts(self) -> tuple[str | int | datetime, ...]:
        return self.sha256, self.bytes, self.records, str(self.partial), self.made_at


def seal_of(file: Path, records: int, partial: bool, key: LogKey, now: datetime) -> ExportSeal:
    """The seal of a file. Raises OSError."""
    bare = ExportSeal(digest(file), file.stat().st_size, records, partial, in_utc(now), "")
    return ExportSeal(
        bare.sha256,
        bare.bytes,
        records,
        partial,
        bare.made_at,
        key.seal(PURPOSE, *bare._parts()),
    )


def read_seal(text: str, place: str) -> ExportSeal:
    """Raises :class:`MalformedInput` (``bad_export_seal``) where it is none."""
    try:
        said = read_json(text)
        moment = in_utc(datetime.fromisoformat(said["made_at"]))
        found = ExportSeal(**(said | {"made_at": moment}))
        if found.text() != text:
            raise ValueError(text)
        return found
    except (EligibilityError, AttributeError, KeyError, TypeError, ValueError) as error:
        said_ = Text("不是导出文件的封存", "not the seal of an exported file")
        raise MalformedInput(Problem("bad_export_seal", said_, place)) from error


def digest(file: Path) -> str:
    """SHA-256 in hexadecimal digits. Raises OSError."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
