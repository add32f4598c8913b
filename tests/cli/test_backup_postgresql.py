"""Back-ups of PostgreSQL, by its own programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.conftest import Run
from records.postgres import server


def test_postgresql_is_backed_up_and_restored(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, file = tmp_path / "case.json", str(tmp_path / "b.tar")
    case.write_text('{"court_id": "low"}', "utf-8")
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    with server() as (url, programs):
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", url)

        def records() -> int:
            done = cli("log", "verify", "--json")
            assert done.code == 0, done
            return int(json.loads(done.out)["records"])

        for _ in range(2):
            assert cli("decide", "--record", str(case)).code == 0
        done = cli("backup", "-o", file)
        assert done.code == 0, done
        assert cli("decide", "--record", str(case)).code == 0
        assert cli("restore", file).err.startswith("database_not_empty")
        done = cli("restore", file, "--force")
        assert done.code == 0, done
        assert records() == 2
        (aside,) = tmp_path.glob("b.tar.before-restore-*")
        assert cli("restore", str(aside), "--force").code == 0
        assert records() == 3


def test_what_is_missing_is_said(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    case, nothing = tmp_path / "case.json", tmp_path / "nothing"
    case.write_text('{"court_id": "low"}', "utf-8")
    nothing.mkdir()
    with server() as (url, _):
        monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", url)
        assert cli("decide", "--record", str(case)).code == 0
        with monkeypatch.context() as patched:
            patched.setenv("PATH", str(nothing))
            done = cli("backup", "-o", str(tmp_path / "b.tar"))
    assert (done.code, done.err.startswith("not_installed")) == (2, True), done
    assert "pg_dump" in done.err
    assert "hush" not in done.err
    assert not list(tmp_path.glob("b.tar*"))


def test_a_password_is_in_no_message(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "k" * 32)
    url = f"postgresql://tester:hush-hush@/postgres?host={tmp_path}"
    done = cli("backup", "-o", str(tmp_path / "b.tar"), "--database", url)
    assert done.err.startswith("database_unavailable")
    assert "hush" not in done.err
    assert not (tmp_path / "b.tar").exists()
