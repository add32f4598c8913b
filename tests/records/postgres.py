"""A PostgreSQL server of one's own, on a socket in a folder; where its programs are installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1:]

TEMPLATE = "migrated"


class Server:
    """A running server; ``url`` is that of an empty database."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.url = self.url_of("postgres")
        self._made = 0
        # A server refuses to run as root.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def url_of(self, database: str) -> str:
        return f"postgresql://tester:hush-hush@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self.programs / program), *arguments]
        # Without files of our own: the server keeps its output open as long as it runs.
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder
        )
        log = self.folder / "log"
        said = log.read_text("utf-8") if log.exists() else ""
        assert done.returncode == 0, f"{' '.join(command)}: {said[-2000:]}"

    def start(self, durable: bool = False) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=200"
        if not durable:
            options += " -c fsync=off -c full_page_writes=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        """``immediate`` is a crash: the server recovers from its log when it starts again."""
        self.run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "stop")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, template: str = "template1") -> str:
        """The name of a new database."""
        self._made += 1
        name = f"db{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running(durable: bool = False) -> Iterator[Server]:
    """A server with data of its own, gone at the end."""
    assert PROGRAMS, (
        "these tests need a PostgreSQL server of their own, and there is no"
        " /usr/lib/postgresql/*/bin/initdb: install the package 'postgresql'"
    )
    with TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        made = Server(PROGRAMS[0].parent, folder)
        made.run("initdb", "-D", str(made.data), "-U", "tester", "-A", "trust", "-E", "UTF8", "-N")
        made.start(durable)
        try:
            yield made
        finally:
            if (made.data / "postmaster.pid").exists():
                made.stop()


@contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """The URL of an empty database, and the folder of the programs."""
    with running() as made:
        yield made.url, made.programs
