"""Back-ups of the records: one archive, verified when it is made and when it is restored.

The archive is a tar of ``manifest.json`` and the database: a SQLite file copied while others
write to it, or the archive of ``pg_dump``. The log key is not in it: who holds both can forge.
``manifest.json`` holds a sealed checkpoint of the end of the log, so a back-up of which
something was cut off does not pass.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from sqlalchemy import URL, func, inspect, make_url, select

from eligibility.errors import Problem, Text
from eligibility.records import checkpoints
from eligibility.records.checkpoints import Checkpoint
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.seals import LogKey
from eligibility.records.tables import DECISIONS, EVENTS, REVISION, in_utc
from eligibility.records.verification import Verification, verify

FORMAT = "eligibility backup 1"
_MANIFEST, _SQLITE, _POSTGRESQL, KEY_MEMBER = (
    "manifest.json",
    "records.db",
    "records.dump",
    "log.key",
)


@dataclass(frozen=True, slots=True)
class Backup:
    """What an archive says of itself. ``checkpoint``: the end of its log; None where empty."""

    kind: str
    made_at: str
    revision: str
    records: int
    checkpoint: Checkpoint | None
    secret: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "database": self.kind,
            "made_at": self.made_at,
            "revision": self.revision,
            "records": self.records,
            "checkpoint": self.checkpoint.as_dict() if self.checkpoint else None,
            "with_key": self.secret is not None,
        }


def back_up(
    url: str, target: Path, key: LogKey, now: datetime, secret: str | None = None
) -> Backup:
    """Write an archive of the database at ``url``, which may be in use; it appears when whole.

    ``secret``: the log key, put in as well. Raises :class:`RecordsError` (``backup_unsound``)
    where the copy does not pass its checks.
    """
    draft = target.with_name(f"{target.name}.part")
    with _writing(target):
        try:
            with TemporaryDirectory(dir=target.parent, prefix=".eligibility-backup-") as folder:
                made, copy = _copy(url, Path(folder), key, now, secret)
                with tarfile.open(draft, "w") as archive:
                    os.chmod(draft, 0o600)
                    _add(archive, _MANIFEST, json.dumps(made.as_dict(), indent=2).encode())
                    if secret is not None:
                        _add(archive, KEY_MEMBER, secret.encode() + b"\n")
                    archive.add(copy, copy.name)
            _sync(draft)
            os.replace(draft, target)
            _sync(target.parent)
        finally:
            draft.unlink(missing_ok=True)
    return made


def read_backup(source: Path, key: LogKey | None = None) -> Backup:
    """What an archive says; its checkpoint is read with the key in it, else with ``key``.

    Raises :class:`RecordsError` (``bad_backup``), or MalformedInput where another key sealed it.
    """
    try:
        with tarfile.open(source) as archive:
            said = json.loads(_member(archive, _MANIFEST))
            secret = None
            if KEY_MEMBER in archive.getnames():
                secret = _member(archive, KEY_MEMBER).decode("ascii").strip()
        if said["format"] != FORMAT:
            raise ValueError(said["format"])
        line = said["checkpoint"]
        sealed = LogKey(secret) if secret and key is None else key
        found = None
        if line is not None and sealed is not None:
            found = checkpoints.read(json.dumps(line), sealed, str(source))[0]
        words = (said["database"], said["made_at"], said["revision"])
        return Backup(*words, int(said["records"]), found, secret)
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        said_zh, said_en = "不是可用的备份文件", "not a back-up that can be used"
        raise _bad("bad_backup", said_zh, said_en, source) from error


def restore(source: Path, url: str, key: LogKey, now: datetime, force: bool = False) -> str | None:
    """Put the database of an archive at ``url``; where what was there is now, if anything was.

    Raises :class:`RecordsError`: ``database_not_empty`` where records are there and not
    ``force``, ``database_in_use``, ``other_database``, ``backup_unsound``, ``cannot_write``.
    """
    said = read_backup(source, key)
    target = Database(url)
    try:
        kind = "postgresql" if target.file is None else "sqlite"
        if said.kind != kind:
            _refuse("other_database", f"备份属于 {said.kind}", f"is of {said.kind}", source)
        if said.revision > REVISION:
            zh, en = "备份由更新版本的程序作出", "was made by a newer version of the program"
            _refuse("database_version", zh, en, source)
        there = _records(target)
    finally:
        target.close()
    if there and not force:
        zh = f"数据库已有 {there} 条决定和事件；确要替换请加 --force（原库另存在旁）"
        en = f"holds {there} decisions and events; --force replaces it and keeps it beside"
        _refuse("database_not_empty", zh, en)
    stamp = in_utc(now).strftime("%Y%m%dT%H%M%SZ")
    if target.file is not None:
        with _writing(target.file):
            return _restore_file(source, said, target.file, key, stamp)
    aside = source.with_name(f"{source.name}.before-restore-{stamp}") if there else None
    if aside is not None:
        back_up(url, aside, key, now)
    _restore_postgresql(source, said, url, key)
    return None if aside is None else str(aside)


# --- copies -----------------------------------------------------------------------------------


def _copy(
    url: str, folder: Path, key: LogKey, now: datetime, secret: str | None
) -> tuple[Backup, Path]:
    database = Database(url)
    try:
        if database.file is None:
            # The log only grows: what is verified before the dump is within the dump.
            revision = _current(database)
            found = _sound(verify(database, key))
            copy, kind = folder / _POSTGRESQL, "postgresql"
            options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={copy}"]
            _run("pg_dump", options, url)
        else:
            copy, kind = folder / _SQLITE, "sqlite"
            _copy_file(database.file, copy)
            found, revision = _verify_file(copy, key)
    finally:
        database.close()
    moment, last = in_utc(now), found.last
    checkpoint = None
    if last.hash is not None:
        checkpoint = checkpoints.made(key, last.seq, last.hash, moment, found.journal)
    words = (kind, moment.isoformat(), revision)
    return Backup(*words, found.records, checkpoint, secret), copy


def _copy_file(source: Path, copy: Path) -> None:
    """One state of a SQLite file, however much is written meanwhile; writers do not wait."""
    try:
        with (
            closing(sqlite3.connect(source, timeout=10)) as reading,
            closing(sqlite3.connect(copy)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise _bad("database_unavailable", f"数据库不可用：{error}", str(error)) from error


def _current(database: Database) -> str:
    """The revision of a database that is used where it is. Raises RecordsError if it is old."""
    revision = database.revision()
    if revision == REVISION:
        return revision
    zh = f"数据库版本为 {revision}，本程序为 {REVISION}；请用原版本的程序备份，或先升级数据库"
    en = f"the database is at {revision}, this program at {REVISION}: use the version that fits"
    _refuse("database_version", zh, en)


def _verify_file(
    file: Path, key: LogKey, expected: Checkpoint | None = None
) -> tuple[Verification, str]:
    """A copy that passes (pages, chain) and its revision; left without a write-ahead log.

    An older schema is brought to the newest first, in this copy alone.
    """
    try:
        with closing(sqlite3.connect(file)) as connection:
            (word,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        word = str(error)
    if word != "ok":
        _refuse("backup_unsound", f"数据库文件已损坏：{word}", f"the file is damaged: {word}", file)
    database = Database.open(file_url(file))
    try:
        found = _sound(verify(database, key, [expected] if expected else []))
        revision = _current(database)
    finally:
        database.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return found, revision


def _sound(found: Verification) -> Verification:
    if found.intact:
        return found
    first = found.findings[0]
    line = f"{first.seq} {first.problem.line()}"
    _refuse("backup_unsound", f"记录核验不通过：{line}", f"the log does not verify: {line}")


def _records(database: Database) -> int:
    """Decisions and events that are there; none where there is no database yet."""
    if database.file is not None and not database.file.exists():
        return 0
    with database.read() as connection:
        tables = [t for t in (DECISIONS, EVENTS) if inspect(connection).has_table(t.name)]
        counts = [connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables]
    return sum(counts)


# --- putting back -----------------------------------------------------------------------------


def _restore_file(source: Path, said: Backup, file: Path, key: LogKey, stamp: str) -> str | None:
    draft = file.with_name(f"{file.name}.restoring")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _extract(source, _SQLITE, draft)
        _counted(_verify_file(draft, key, said.checkpoint)[0], said)
        _sync(draft)
        aside = None
        if file.exists():
            _alone(file)
            aside = file.with_name(f"{file.name}.before-restore-{stamp}")
            _keep(file, aside)
        os.replace(draft, file)
        _sync(file.parent)
        return None if aside is None else str(aside)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _alone(file: Path) -> None:
    """Nobody has the file open, and all of it is in the one file. Raises RecordsError."""
    try:
        with closing(sqlite3.connect(file, timeout=1)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode != "delete":
        zh, en = "数据库正在使用，请先停止服务", "the database is in use; stop the service first"
        _refuse("database_in_use", zh, en, file)


def _keep(file: Path, aside: Path) -> None:
    """The file under a second name, which is nobody's yet; a copy where links are not possible."""
    try:
        os.link(file, aside)
        return
    except FileExistsError:
        raise
    except OSError:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with file.open("rb") as source, os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(source, copy)
    _sync(aside)


def _restore_postgresql(source: Path, said: Backup, url: str, key: LogKey) -> None:
    with _writing("restore"), TemporaryDirectory(prefix="eligibility-restore-") as folder:
        dump = Path(folder) / _POSTGRESQL
        _extract(source, _POSTGRESQL, dump)
        options = ["--clean", "--if-exists", "--no-owner", "--no-privileges"]
        _run("pg_restore", [*options, "--single-transaction", str(dump)], url)
    database = Database.open(url)  # which brings an older schema to the newest
    try:
        _counted(_sound(verify(database, key, [said.checkpoint] if said.checkpoint else [])), said)
    finally:
        database.close()


def _counted(found: Verification, said: Backup) -> None:
    if found.records < said.records:
        zh = f"备份应有 {said.records} 条记录，实有 {found.records} 条"
        en = f"{said.records} records were backed up and {found.records} are there"
        _refuse("backup_unsound", zh, en)


def _run(program: str, options: list[str], url: str) -> None:
    """A program of PostgreSQL; the password goes by the environment, no other user sees it."""
    path = shutil.which(program)
    if path is None:
        zh, en = (
            f"缺少 {program}（PostgreSQL 客户端）",
            f"'{program}' of PostgreSQL is not installed",
        )
        _refuse("not_installed", zh, en)
    parsed = make_url(url)
    password = parsed.password or parsed.query.get("password")
    plain = URL.create(
        "postgresql",
        parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query={k: v for k, v in parsed.query.items() if k != "password"},
    )
    environment = dict(os.environ)
    if password:
        environment["PGPASSWORD"] = str(password)
    command = [path, "--no-password", f"--dbname={plain.render_as_string()}", *options]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        why = lines[0].replace(str(password), "***")[:300] if password else lines[0][:300]
        _refuse("database_unavailable", f"{program} 未成功：{why}", f"{program} failed: {why}")


# --- files ------------------------------------------------------------------------------------


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(name)
    return file.read()


def _extract(source: Path, name: str, target: Path) -> None:
    try:
        with tarfile.open(source) as archive:
            file = archive.extractfile(name)
            if file is None:
                raise KeyError(name)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with file, os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(file, out)
    except (KeyError, tarfile.TarError) as error:
        raise _bad("bad_backup", "备份文件不完整", "the back-up is not whole", source) from error


@contextmanager
def _writing(place: Path | str) -> Iterator[None]:
    """What the file system refuses, in one line."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        where = error.filename or place
        _refuse("cannot_write", f"无法写入：{why}", f"cannot write: {why}", str(where))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _bad(code: str, zh: str, en: str, place: Path | str = "") -> RecordsError:
    return RecordsError(Problem(code, Text(zh, en), str(place)))


def _refuse(code: str, zh: str, en: str, place: Path | str = "") -> NoReturn:
    raise _bad(code, zh, en, place)
