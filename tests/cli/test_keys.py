"""``keys``: made once, listed without their secrets, revoked for good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run


@pytest.fixture(name="database")
def fixture_database(tmp_path: Path) -> str:
    return str(tmp_path / "records.db")


def test_a_key_from_creation_to_revocation(cli: Run, database: str) -> None:
    made = cli(
        "keys",
        "create",
        "电子卷宗",
        "--role",
        "case_system",
        "--role",
        "auditor",
        "--expires",
        "2999-12-31",
        "--database",
        database,
    )
    assert made.code == 0, made.err
    secret = made.out.strip()
    identity = secret.split("_")[1]
    assert len(secret.split("_")[2]) == 64
    listed = cli("keys", "list", "--json", "--database", database)
    assert secret.split("_")[2] not in listed.out
    assert secret.split("_")[2].encode() not in Path(database).read_bytes()
    (key,) = json.loads(listed.out)["keys"]
    assert (key["id"], key["state"], key["courts"]) == (identity, "valid", None)
    assert key["roles"] == ["auditor", "case_system"]
    assert cli("keys", "revoke", identity, "--database", database).code == 0
    assert "revoked" in cli("keys", "list", "--database", database).out
    again = cli("keys", "create", "电子卷宗", "--role", "auditor", "--json", "--database", database)
    assert json.loads(again.out)["key"].startswith("elg_")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "a"), "missing_field"),
        (("create", "a", "--role", "king"), "unknown_role"),
        (("create", " ", "--role", "auditor"), "bad_key_name"),
        (("create", "a", "--role", "auditor", "--court", "nowhere"), "unknown_court"),
        (("create", "a", "--role", "auditor", "--expires", "soon"), "bad_date"),
        (("create", "a", "--role", "auditor", "--expires", "2020-01-01"), "key_expired_already"),
        (("create", "taken", "--role", "auditor"), "key_name_taken"),
        (("revoke", "000000000000"), "unknown_key_id"),
    ],
)
def test_what_is_refused(cli: Run, database: str, arguments: tuple[str, ...], code: str) -> None:
    assert cli("keys", "create", "taken", "--role", "admin", "--database", database).code == 0
    ran = cli("keys", *arguments, "--database", database)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{code}: ")


def test_a_misspelt_database_is_not_made(cli: Run, database: str) -> None:
    assert cli("keys", "list", "--database", database).err.startswith("no_database")
