"""The database under the service: a SQLite file by default, PostgreSQL by its URL.

What is committed is on the disk: SQLite runs with a write-ahead log that is synced at every
commit (``journal_mode=WAL``, ``synchronous=FULL``), PostgreSQL with ``synchronous_commit`` not
off. Neither clock nor environment is read here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import sleep
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Table,
    create_engine,
    event,
    false,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy import insert as sql_insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records.tables import DECISIONS, REVISION

PATIENCE = 10
"""Seconds that a transaction waits for others before it gives up."""

# Numbers of PostgreSQL's advisory locks: one to migrate, a space of them for cases.
MIGRATING, CASES = 0x656C6967, 0x63617365

_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL = frozenset({"postgresql", "postgresql+psycopg"})
_READ_ONLY = "25006"  # read_only_sql_transaction
_LONGEST_REASON = 300
_ATTEMPTS = 500


class RecordsError(EligibilityError):
    """The database cannot be used, or no longer holds what was kept in it."""

    status = 503


def file_url(path: str | Path) -> str:
    """The URL of a SQLite file, whatever characters its path is made of."""
    return URL.create("sqlite", database=str(path)).render_as_string()


class Database:
    """Connections to one database; may be shared by threads.

    Everything raises :class:`RecordsError` (``database_unavailable``) where the database is
    locked, read-only, full or out of reach; its message never holds a password or a fact.
    """

    def __init__(self, url: str) -> None:
        """Connects to nothing yet. Raises :class:`RecordsError` if the URL cannot be used."""
        self._url = _parsed(url)
        engine = _engine(self._url)
        self._engine: Engine = engine
        self._writing: Engine = engine
        if engine.dialect.name == "sqlite":
            self._writing = engine.execution_options(sqlite_begin="IMMEDIATE")
            self._reading = engine.execution_options(sqlite_begin="DEFERRED")
        else:
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        # SQLite has one writer at a time; those of one process queue here, where waiting is
        # fair, and not in SQLite, which tries again at growing intervals.
        self._turn = Lock() if engine.dialect.name == "sqlite" else None

    @classmethod
    def open(cls, url: str) -> Database:
        """The database, brought to the newest schema; the folder of its file is created.

        Any number of processes may open it at once. What goes wrong here names the database.
        """
        database = cls(url)
        try:
            database._make_folder()
            database._migrate()
        except RecordsError as error:
            database.close()
            place = _place(database._url)
            raise RecordsError(
                Problem(p.code, p.message, place, hint=p.hint) for p in error.problems
            ) from error
        except BaseException:
            database.close()
            raise
        return database

    @property
    def file(self) -> Path | None:
        """The file that the database is, if it is one by its path."""
        name = self._url.database or ""
        if self._url.drivername not in _SQLITE or name.startswith("file:"):
            return None
        return Path(name)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction that may write: all of it is kept when the block ends, or none.

        Once the block is left without an error, what it wrote is on the disk.
        """
        with self._failures(), self._my_turn(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One state of the database, however much is written meanwhile; nothing can be kept."""
        with self._failures(), self._reading.connect() as connection:
            yield connection

    def scrub(self, *tables: Table) -> bool:
        """Let go of deleted rows of these tables, as far as the database can; whether it did.

        SQLite: empties the write-ahead log, for which nobody may be reading. Deleted rows are
        overwritten where they were deleted under ``secure_delete``. PostgreSQL: a vacuum; what
        it keeps in its own write-ahead log goes with that.
        """
        with self._failures():
            if self.file is not None:
                try:
                    with closing(sqlite3.connect(self.file, timeout=PATIENCE)) as raw:
                        (busy, _, _) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                except sqlite3.OperationalError:
                    return False
                return not busy
            engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for table in tables:
                    connection.execute(text(f"VACUUM {table.name}"))
            return True

    def revision(self) -> str | None:
        """The revision of the schema that is there; None where there is none yet."""
        with self.read() as connection:
            return _revision(connection)

    def close(self) -> None:
        """Lets go of all connections."""
        self._engine.dispose()

    def _make_folder(self) -> None:
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(error.strerror or str(error)) from error

    def _migrate(self) -> None:
        with self.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
            if _revision(connection) == REVISION:
                check_writable(connection)
                return
            from eligibility.records import schema

            try:
                schema.upgrade(connection)
            except schema.UnknownRevision as error:
                raise RecordsError(Problem("database_version", _NEWER)) from error

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=PATIENCE):
            raise _unavailable("database is locked")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Failures of the database as :class:`RecordsError`; faults of the program as they are."""
        try:
            yield
        except (IntegrityError, DataError):
            raise
        except (DBAPIError, PoolTimeout) as error:
            reason = str(error.orig if isinstance(error, DBAPIError) else error)
            for secret in _passwords(self._url):
                reason = reason.replace(secret, "***")
            raise _unavailable(reason) from error


def insert_new(connection: Connection, table: Table, values: dict[str, Any], *key: str) -> bool:
    """Insert a row unless one with this ``key`` is there; whether it was inserted.

    A writer of the same key that came first and has not committed yet is waited for.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(values).on_conflict_do_nothing(index_elements=key).inline()
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns.

    On SQLite by one statement as it is, its values written out by the types of the columns:
    what SQLAlchemy does besides for each row takes as long as SQLite takes for it.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(sql_insert(table).inline(), rows)
        return
    names = tuple(rows[0])
    statement, written = _plain_insert(connection.dialect, table, names)
    values = [
        tuple([row[name] if write is None else write(row[name]) for name, write in written])
        for row in rows
    ]
    connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=64)
def _plain_insert(
    dialect: Dialect, table: Table, names: tuple[str, ...]
) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
    """The statement, and for each column what writes a value out, if anything need be done."""
    quote = dialect.identifier_preparer.quote
    columns, marks = ", ".join(map(quote, names)), ", ".join("?" * len(names))
    statement = f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({marks})"
    types = [(name, table.c[name].type.dialect_impl(dialect)) for name in names]
    return statement, [(name, kind.bind_processor(dialect)) for name, kind in types]


def lock_case(connection: Connection, case_key: str) -> None:
    """Until the end of the transaction no other transaction passes here for the same case.

    SQLite needs none of this: it lets one transaction write at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(CASES, func.hashtext(case_key))))


def check_writable(connection: Connection) -> None:
    """Raises, at the latest when the transaction ends, where nothing can be recorded.

    A row is written as it is: a file that is only read is found by nothing less.
    """
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    if connection.dialect.name == "postgresql":  # which has a right of its own for each table
        nothing = select(DECISIONS).where(false())
        connection.execute(insert(DECISIONS).from_select(list(DECISIONS.c), nothing).inline())


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version"))
    return str(found.scalar_one_or_none())


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _bad_url() from None
    if parsed.drivername not in _SQLITE | _POSTGRESQL:
        raise _bad_url()
    if parsed.drivername in _SQLITE:
        in_memory = ":memory:" in (parsed.database or ":memory:")
        if in_memory or parsed.query.get("mode") == "memory":
            raise _bad_url()
    return parsed


def _engine(url: URL) -> Engine:
    if url.drivername in _SQLITE:
        connect_args = {"timeout": PATIENCE}
    else:
        connect_args = {} if "connect_timeout" in url.query else {"connect_timeout": PATIENCE}
    try:
        engine = create_engine(
            url,
            connect_args=connect_args,
            pool_timeout=PATIENCE,
            pool_pre_ping=url.drivername in _POSTGRESQL,
            hide_parameters=True,  # they are facts of cases, which no log may hold
        )
    except ModuleNotFoundError as error:
        said = Text(f"缺少 {error.name}", f"'{error.name}' is not installed")
        raise RecordsError(Problem("not_installed", said)) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "checkin", _as_the_server_says)
    event.listen(engine, "handle_error", _let_go_of_read_only)
    return engine


def _let_go_of_read_only(context: ExceptionContext) -> None:
    """Connections that cannot write are not used again.

    SQLite opens a file that it may not write for reading, and a session of PostgreSQL keeps the
    default that it began with: either would refuse for as long as the pool keeps it, also once
    the database can be written again.
    """
    error = context.original_exception
    # INVARIANT: a database that can be written again is written again, without a restart
    if isinstance(error, sqlite3.Error):
        read_only = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
    else:
        read_only = getattr(error, "sqlstate", None) == _READ_ONLY
    if read_only:
        context.is_disconnect = True


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # Python's driver would begin transactions where it sees fit; _begin_sqlite does it instead.
    connection.isolation_level = None
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # or INSERT OR REPLACE would delete and no trigger see it
    ):
        connection.execute(f"PRAGMA {pragma}")
    mode = _write_ahead(connection)
    connection.execute(f"PRAGMA busy_timeout={int(PATIENCE * 1000)}")
    if mode != "wal":
        raise _unavailable(f"no write-ahead log is possible here (journal_mode={mode})")


def _write_ahead(connection: sqlite3.Connection) -> str:
    """The journal mode, ``wal`` where it can be. The mode stays with the file.

    While several set it on a new file SQLite may refuse at once and not wait; so this waits.
    """
    connection.execute("PRAGMA busy_timeout=0")
    for _ in range(_ATTEMPTS):
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        sleep(PATIENCE / _ATTEMPTS)
    raise _unavailable("database is locked")


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def _prepare_postgresql(connection: Any, record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{PATIENCE}s'")
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def _as_the_server_says(connection: Any, record: object) -> None:
    """Whether a transaction may write is for the server to say again.

    After one that was for reading SQLAlchemy leaves the connection at BEGIN READ WRITE, which
    overrides ``default_transaction_read_only``: a database made read-only would be written.
    """
    if connection is not None and not connection.closed:
        connection.read_only = None


def _place(url: URL) -> str:
    if url.drivername in _SQLITE:
        return url.database or ""
    port = f":{url.port}" if url.port else ""
    return f"{url.host or ''}{port}/{url.database or ''}"


def _passwords(url: URL) -> Iterator[str]:
    words = (str(url.password or ""), url.query.get("password", ""))
    return (word for word in words if isinstance(word, str) and word)


def _unavailable(reason: str) -> RecordsError:
    # The first line says what failed; those that follow may quote a statement or a row.
    reason = " ".join(reason.strip().partition("\n")[0].split())[:_LONGEST_REASON]
    said = Text(f"数据库不可用：{reason}", f"the database cannot be used: {reason}")
    return RecordsError(Problem("database_unavailable", said))


_NEWER = Text(
    "数据库由更新版本的程序建立或升级，请改用该版本",
    "the database was made by a newer version of the program; use that version",
)


def _bad_url() -> RecordsError:
    return RecordsError(
        Problem(
            "bad_database_url",
            Text("不能作为数据库地址", "not a URL of a database that can be used"),
            hint=Text(
                "写作 sqlite:///文件路径 或 postgresql://用户@主机/库名",
                "write sqlite:///path/of/file or postgresql://user@host/database",
            ),
        )
    )
