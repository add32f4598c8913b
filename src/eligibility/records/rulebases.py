"""The rule bases that decisions were made by, kept as their texts under their digest.

The digest is that of the model that the texts give, and a later version of the program may
have another model. So the texts are sealed as well when they are kept: texts whose seal is
intact are those that were decided by, whatever digest they have today.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, select

from eligibility.errors import NotFound, Problem, RulebaseError, Text
from eligibility.records.database import Database, RecordsError, insert_new
from eligibility.records.seals import LogKey
from eligibility.records.tables import RULEBASES
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase

CACHED = 4
KEPT = "eligibility rule base 1"


def keep(
    connection: Connection,
    rulebase: Rulebase,
    texts: Mapping[str, str],
    now: datetime,
    log_key: LogKey | None = None,
) -> bool:
    """Keep a rule base with the texts (file name -> YAML) it was loaded from, once per digest.

    Returns whether it is new here; only then are the texts loaded, to see that they give the
    rule base, and sealed. Raises :class:`RecordsError` (``rulebase_altered``) if they do not.
    """
    if is_kept(connection, rulebase.digest):
        return False
    _check(rulebase, texts)
    row = {
        "digest": rulebase.digest,
        "version": rulebase.version,
        "texts": pack(texts),
        "kept_at": now,
        "seal": log_key and log_key.seal(KEPT, rulebase.digest, _plain(texts)),
    }
    return insert_new(connection, RULEBASES, row, "digest")


def _check(rulebase: Rulebase, texts: Mapping[str, str]) -> None:
    try:
        found = load(texts).digest
    except RulebaseError as error:
        raise _altered(rulebase.digest, error.problems[0].line()) from error
    if found != rulebase.digest:
        raise _altered(rulebase.digest, found)


def is_kept(connection: Connection, digest: str) -> bool:
    found = select(RULEBASES.c.digest).where(RULEBASES.c.digest == digest)
    return connection.execute(found).first() is not None


def digests(connection: Connection) -> list[str]:
    """The digests that are kept, in the order in which they were."""
    c = RULEBASES.c
    return list(connection.execute(select(c.digest).order_by(c.kept_at, c.digest)).scalars())


def versions(connection: Connection) -> list[tuple[str, str]]:
    """Digest and version of the rule bases that are kept, in the order in which they were."""
    c = RULEBASES.c
    rows = connection.execute(select(c.digest, c.version).order_by(c.kept_at, c.digest))
    return [(row.digest, row.version) for row in rows]


def pack(texts: Mapping[str, str]) -> bytes:
    """One sequence of bytes for the same texts: sorted JSON, compressed without a time."""
    return gzip.compress(_plain(texts), mtime=0)


def _plain(texts: Mapping[str, str]) -> bytes:
    return json.dumps(
        dict(texts), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()


def unpack(packed: bytes) -> dict[str, str]:
    """The texts in :func:`pack`'s bytes. Raises :class:`ValueError` where they are damaged."""
    try:
        texts = json.loads(gzip.decompress(packed))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("not texts by their names")
    return texts


class Library:
    """The rule bases kept in a database, ready to decide by; may be shared by threads.

    Without the log key a rule base counts only if it still has the digest it is kept under.
    """

    def __init__(self, database: Database, log_key: LogKey | None = None) -> None:
        self._database = database
        self._log_key = log_key
        self._loaded: OrderedDict[str, Rulebase] = OrderedDict()
        self._notes: dict[str, Problem] = {}
        self._lock = Lock()

    def get(self, digest: str) -> Rulebase:
        """The rule base of a digest, as it was when it was kept.

        Raises :class:`NotFound` (``unknown_rulebase``), or :class:`RecordsError`:
        ``rulebase_altered`` where the kept texts are not those that were kept,
        ``rulebase_unreadable`` where they are but this version of the program cannot read them.
        """
        with self._lock:  # also while it is loaded, so that nobody loads it twice
            if digest not in self._loaded:
                self._loaded[digest] = self._load(digest)
            self._loaded.move_to_end(digest)
            while len(self._loaded) > CACHED:
                self._loaded.popitem(last=False)
            return self._loaded[digest]

    def note(self, digest: str) -> Problem | None:
        """What to know of a rule base that :meth:`get` gave: ``digest_changed``, or nothing."""
        return self._notes.get(digest)

    def texts(self, digest: str) -> dict[str, str]:
        """The texts (file name -> YAML) kept under a digest. Raises like :meth:`get`."""
        return self._kept(digest)[0]

    def _kept(self, digest: str) -> tuple[dict[str, str], str | None]:
        """The texts and their seal."""
        c = RULEBASES.c
        with self._database.read() as connection:
            row = connection.execute(select(c.texts, c.seal).where(c.digest == digest)).first()
        if row is None:
            shown = digest[:80]
            text = Text(f"没有留存规则库“{shown}”", f"no rule base '{shown}' is kept")
            raise NotFound(Problem("unknown_rulebase", text, "rulebase"))
        try:
            return unpack(row.texts), row.seal
        except ValueError as error:
            raise _altered(digest, str(error)) from error

    def _load(self, digest: str) -> Rulebase:
        texts, seal = self._kept(digest)
        intact = seal is not None and self._sealed(digest, texts, seal)
        try:
            rulebase = load(texts)
        except RulebaseError as error:
            found = error.problems[0].line()
            raise (_unreadable if intact else _altered)(digest, found) from error
        if rulebase.digest == digest:
            return rulebase
        if not intact:
            raise _altered(digest, rulebase.digest)
        self._notes[digest] = _digest_changed(digest, rulebase.digest)
        return replace(rulebase, digest=digest)  # the name that decisions know it by

    def _sealed(self, digest: str, texts: Mapping[str, str], seal: str) -> bool:
        key = self._log_key
        return key is not None and key.fits(seal, KEPT, digest, _plain(texts))


def _altered(digest: str, found: str) -> RecordsError:
    return RecordsError(
        Problem(
            "rulebase_altered",
            Text(
                f"留存的文本得不出规则库 {digest}：{found}",
                f"the kept texts do not give the rule base {digest}: {found}",
            ),
            "rulebase",
        )
    )


def _unreadable(digest: str, found: str) -> RecordsError:
    return RecordsError(
        Problem(
            "rulebase_unreadable",
            Text(
                f"留存的规则库 {digest} 未被改动，但本版本的程序不能读取：{found}",
                f"the kept rule base {digest} is intact, but this version of the program"
                f" cannot read it: {found}",
            ),
            "rulebase",
        )
    )


def _digest_changed(digest: str, found: str) -> Problem:
    return Problem(
        "digest_changed",
        Text(
            f"留存的规则库 {digest} 未被改动；本版本的程序算得的摘要为 {found}",
            f"the kept rule base {digest} is intact; this version of the program computes"
            f" its digest as {found}",
        ),
        "rulebase",
    )
