"""A PostgreSQL server of one's own, on a socket in a folder; where its programs are installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1:]


@contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """The URL of an empty database, and the folder of the programs."""
    programs = PROGRAMS[0].parent
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            command = [*user, str(programs / program), *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=folder)

        run("initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql://tester:hush-hush@/postgres?host={folder}", programs
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
