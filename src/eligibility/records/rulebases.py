"""The rule bases that decisions were made by, kept as their texts under their digest."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, select

from eligibility.errors import NotFound, Problem, RulebaseError, Text
from eligibility.records.database import Database, RecordsError, insert_new
from eligibility.records.tables import RULEBASES
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase

CACHED = 4


def keep(
    connection: Connection, rulebase: Rulebase, texts: Mapping[str, str], now: datetime
) -> bool:
    """Keep a rule base with the texts (file name -> YAML) it was loaded from, once per digest.

    Returns whether it is new here; only then are the texts loaded, to see that they give the
    rule base. Raises :class:`RecordsError` (``rulebase_altered``) if they do not.
    """
    if is_kept(connection, rulebase.digest):
        return False
    _loaded(texts, rulebase.digest)
    row = {
        "digest": rulebase.digest,
        "version": rulebase.version,
        "texts": pack(texts),
        "kept_at": now,
    }
    return insert_new(connection, RULEBASES, "digest", row)


def is_kept(connection: Connection, digest: str) -> bool:
    found = select(RULEBASES.c.digest).where(RULEBASES.c.digest == digest)
    return connection.execute(found).first() is not None


def pack(texts: Mapping[str, str]) -> bytes:
    """One sequence of bytes for the same texts: sorted JSON, compressed without a time."""
    data = json.dumps(dict(texts), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return gzip.compress(data.encode(), mtime=0)


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
    """The rule bases kept in a database, ready to decide by; may be shared by threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaded: OrderedDict[str, Rulebase] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: str) -> Rulebase:
        """The rule base of a digest, as it was when it was kept.

        Raises :class:`NotFound` (``unknown_rulebase``), or :class:`RecordsError`
        (``rulebase_altered``) where the kept texts no longer give that digest.
        """
        with self._lock:  # also while it is loaded, so that nobody loads it twice
            if digest not in self._loaded:
                self._loaded[digest] = self._load(digest)
            self._loaded.move_to_end(digest)
            while len(self._loaded) > CACHED:
                self._loaded.popitem(last=False)
            return self._loaded[digest]

    def texts(self, digest: str) -> dict[str, str]:
        """The texts (file name -> YAML) kept under a digest. Raises like :meth:`get`."""
        with self._database.read() as connection:
            packed = connection.execute(
                select(RULEBASES.c.texts).where(RULEBASES.c.digest == digest)
            ).scalar_one_or_none()
        if packed is None:
            shown = digest[:80]
            text = Text(f"没有留存规则库“{shown}”", f"no rule base '{shown}' is kept")
            raise NotFound(Problem("unknown_rulebase", text, "rulebase"))
        try:
            return unpack(packed)
        except ValueError as error:
            raise _altered(digest, str(error)) from error

    def _load(self, digest: str) -> Rulebase:
        return _loaded(self.texts(digest), digest)


def _loaded(texts: Mapping[str, str], digest: str) -> Rulebase:
    try:
        rulebase = load(texts)
    except RulebaseError as error:
        raise _altered(digest, error.problems[0].line()) from error
    if rulebase.digest != digest:
        raise _altered(digest, rulebase.digest)
    return rulebase


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
