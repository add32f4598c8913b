"""Is an exported file what was exported? By itself, without the database.

Every record is sealed with the hash of the one before, which stands in it; a line of NDJSON has
one way to be written. So a byte that is another is found, wherever it stands. That records
are missing at the end only the seal of the file or a checkpoint tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.errors import Problem, Text
from eligibility.records.chain import COLUMNS, link
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.decisions import Recorded
from eligibility.records.export import FIELDS, PAGE, SCHEMA, Entry, line, told
from eligibility.records.export_seal import ExportSeal
from eligibility.records.heads import Link
from eligibility.records.seals import LogKey
from eligibility.records.verification import DIFFERS, OTHER_KEY, Verification, removed

PARQUET = ".parquet"


def verify_export(
    file: Path,
    key: LogKey | None,
    kept_elsewhere: Iterable[Checkpoint] = (),
    seal: ExportSeal | None = None,
) -> Verification:
    """What is wrong with a file, the first bad record first. Raises OSError.

    Without the key only the form and the order of the records can be checked, and notes say so.
    """
    check = _Check(key, kept_elsewhere, seal)
    whole = check.read_seal(file)
    if whole or file.suffix != PARQUET:  # what a damaged Parquet file says is anybody's guess
        check.read(_parquet(file) if file.suffix == PARQUET else _lines(file))
    return check.finish()


class _Misfit(Exception):
    """What stands there is no record as it is written."""


class _Check:
    """Goes along the records once."""

    def __init__(
        self, key: LogKey | None, kept_elsewhere: Iterable[Checkpoint], seal: ExportSeal | None
    ) -> None:
        self.key = key
        self.seal = seal
        self.found = Verification()
        self.ahead: dict[int, list[str]] = {}
        self.partial = False
        for checkpoint in kept_elsewhere:
            self.found.checkpoints += 1
            if checkpoint.seq:
                self.ahead.setdefault(checkpoint.seq, []).append(checkpoint.hash)

    def read_seal(self, file: Path) -> bool:
        """Whether the file as such is as it was sealed, if it was."""
        if self.key is None:
            self.found.notes.append(_WITHOUT_KEY)
        if self.seal is None:
            self.found.notes.append(_WITHOUT_SEAL)
            return True
        if self.key is not None and not self.seal.holds(self.key):
            self.found.add(0, "", _SEAL_ALTERED)
            return False
        self.partial = self.seal.partial
        if not self.seal.fits(file):
            self.found.add(0, "", _ALTERED)
            return False
        return True

    def read(self, entries: Iterator[Entry]) -> None:
        try:
            for number, entry in enumerate(entries, 1):
                self._look_at(number, entry)
        except _Misfit as error:
            self.found.add(self.found.last.seq + 1, "", _misfit(str(error)))

    def finish(self) -> Verification:
        found = self.found
        if self.seal is not None and not found.wanting and found.records != self.seal.records:
            found.add(found.last.seq, "", _ALTERED)
        if not self.partial and not found.wanting:
            for seq in sorted(self.ahead):
                found.add(seq, "", _cut_off(found.last.seq))
        if self.partial:
            found.notes.append(_PARTIAL)
        return found

    def _look_at(self, number: int, entry: Entry) -> None:
        recorded, before = _recorded(entry, number)
        found, last = self.found, self.found.last
        follows = recorded.seq == last.seq + 1
        if not follows and (recorded.seq <= last.seq or not self.partial):
            found.add(recorded.seq, recorded.id, _gap(recorded.seq - last.seq - 1))
        # A record from before the chain has no hash; it is linked as if it had one.
        linked = last.hash if follows and before is None else before
        if follows and found.records and before is not None and before != last.hash:
            found.add(recorded.seq, recorded.id, _UNLINKED)
        computed = None
        if self.key is not None:
            computed = link(self.key, linked, [getattr(recorded, name) for name in COLUMNS])
        if recorded.hash is None:
            found.unsealed += 1
        elif computed is not None and computed != recorded.hash:
            made = self.key is not None and self.key.made(recorded.hash)
            found.add(recorded.seq, recorded.id, _CHANGED if made else OTHER_KEY)
        found.records += 1
        found.last = Link(recorded.seq, recorded.hash or computed)
        if any(hash != found.last.hash for hash in self.ahead.pop(recorded.seq, [])):
            found.add(recorded.seq, recorded.id, DIFFERS)


def _recorded(entry: Entry, number: int) -> tuple[Recorded, str | None]:
    """The record that an entry tells, exactly. Raises :class:`_Misfit`."""
    try:
        values = dict(entry)
        before = values.pop("before")
        values["as_of"] = date.fromisoformat(values["as_of"])
        values["decided_at"] = datetime.fromisoformat(values["decided_at"])
        recorded = Recorded(**values)
        if type(recorded.seq) is not int or told(recorded, before) != entry:
            raise _Misfit(str(number))
        texts = [v for name, v in entry.items() if name != "seq"]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise _Misfit(str(number))
        return recorded, before
    except (KeyError, TypeError, ValueError) as error:
        raise _Misfit(str(number)) from error


def _lines(file: Path) -> Iterator[Entry]:
    with file.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            try:
                entry = json.loads(raw.decode())
                if not isinstance(entry, dict) or tuple(entry) != FIELDS or line(entry) != raw:
                    raise _Misfit(str(number))
            except (ValueError, RecursionError) as error:
                raise _Misfit(str(number)) from error
            yield entry


def _parquet(file: Path) -> Iterator[Entry]:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            if not opened.schema_arrow.equals(SCHEMA):
                raise _Misfit("0")
            for batch in opened.iter_batches(PAGE):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _Misfit("0") from error


def _misfit(number: str) -> Problem:
    return Problem(
        "export_unreadable",
        Text(
            "此处不是导出的记录，或者不是导出时的写法",
            "what stands here is no exported record, or is not written as it was exported",
        ),
        number,
    )


def _gap(missing: int) -> Problem:
    if missing < 0:
        return Problem(
            "record_changed", Text("此记录不在其位", "this record is not where it belongs")
        )
    return removed(missing)


def _cut_off(last: int) -> Problem:
    return Problem(
        "records_cut_off",
        Text(
            f"检查点所指的记录不在其中，文件止于第 {last} 号",
            f"the record of a checkpoint is not in it; the file ends at {last}",
        ),
    )


_ALTERED = Problem(
    "export_altered", Text("文件与其封存不符", "the file is not the one that was sealed")
)
_SEAL_ALTERED = Problem(
    "export_seal_altered",
    Text("封存不是用本密钥所作，或者已被改动", "the seal was not made with this key, or altered"),
)
_UNLINKED = Problem(
    "record_changed",
    Text("此记录不接前一条记录", "this record does not follow on the one before it"),
)
_CHANGED = Problem(
    "record_changed", Text("此记录被改动或者插入", "this record was changed or put in")
)
_WITHOUT_KEY = Problem(
    "export_without_key",
    Text(
        "没有记录密钥：只核对了写法、次序和首尾相接，不能证明未被改动",
        "without the key of the log only form and order were checked: nothing is proved",
    ),
)
_WITHOUT_SEAL = Problem(
    "export_without_seal",
    Text(
        "没有该文件的封存：末尾被截去只能由检查点发现",
        "there is no seal of the file: that its end is missing only a checkpoint tells",
    ),
)
_PARTIAL = Problem(
    "export_partial",
    Text(
        "文件只含所求法院或期间的记录，其间的空号不是缺失",
        "the file holds the records of a court or a period; numbers left out are not missing",
    ),
)
