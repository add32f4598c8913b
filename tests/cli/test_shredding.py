"""The command line: data of cases sealed, shredded; exported files verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run

CASE = "（2024）苏0902执1号"
WORDS = ("--reason", "保管期满", "--by", "李档案", "--approved-by", "王庭长")


@pytest.fixture(name="folder")
def fixture_folder(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two decisions, sealed."""
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ELIGIBILITY_SEALING_KEY", "s" * 32)
    for number, case_no in enumerate((CASE, "（2024）苏0902执2号")):
        path = tmp_path / f"{number}.json"
        said = {"case_no": case_no, "interference": True}
        path.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
        assert cli("decide", "--record", "--engine", "native", str(path)).code == 0
    return tmp_path


def test_shredding_is_confirmed_and_leaves_the_log_whole(cli: Run, folder: Path) -> None:
    assert cli("log", "shred", CASE, *WORDS).err.startswith("usage")
    assert cli("log", "shred", *WORDS, "--yes").err.startswith("usage")
    refused = cli("log", "shred", CASE, *WORDS[:-1], "李档案", "--yes")
    assert (refused.code, refused.err.split(":")[0]) == (2, "four_eyes")
    assert cli("replay", "--all").code == 0
    done = cli("log", "shred", CASE, *WORDS, "--yes", "--json")
    said = json.loads(done.out)
    assert (said["case"], said["decisions"], said["plain"], said["scrubbed"]) == (CASE, 1, 0, True)
    assert cli("log", "verify").code == 0
    replayed = cli("replay", "--all")
    assert (replayed.code, "1 份已销毁" in replayed.out) == (0, True)
    export = folder / "log.ndjson"
    assert cli("log", "export", "-o", str(export)).code == 0
    assert export.read_text("utf-8").count('"sealed:1:') == 6
    assert cli("log", "verify", "--export", str(export)).code == 0
    again = cli("log", "shred", CASE, *WORDS, "--yes")
    assert again.err.startswith("already_shredded")


def test_a_case_without_a_number_is_named_by_its_decision(cli: Run, folder: Path) -> None:
    path = folder / "n.json"
    path.write_text("{}")
    made = cli("decide", "--record", "--engine", "native", "--json", str(path))
    identity = json.loads(made.out)["decision_id"]
    done = cli("log", "shred", "--decision", identity, *WORDS, "--yes")
    assert (done.code, done.out[:3]) == (0, "已销毁")


def test_the_sealing_key_is_changed(
    cli: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = folder / "new.key"
    new.write_text("n" * 32 + "\n")
    same = folder / "same.key"
    same.write_text("s" * 32)
    assert cli("log", "rewrap", "--new-key", str(same)).err.startswith("usage")
    assert cli("log", "rewrap", "--new-key", str(new)).out.startswith("2 ")
    assert "other_sealing_key" in cli("decide", "--record", str(folder / "0.json")).err
    monkeypatch.setenv("ELIGIBILITY_SEALING_KEY", "n" * 32)
    assert cli("replay", "--all").code == 0
    assert cli("log", "verify").code == 0
    monkeypatch.delenv("ELIGIBILITY_SEALING_KEY")
    assert cli("log", "rewrap", "--new-key", str(new)).err.startswith("no_sealing_key")
    assert cli("log", "verify").code == 0  # which needs no sealing key


@pytest.mark.parametrize("name", ["log.ndjson", "log.parquet"])
def test_an_exported_file_is_verified(cli: Run, folder: Path, name: str) -> None:
    file = folder / name
    assert cli("log", "export", "-o", str(file)).code == 0
    assert (folder / f"{name}.seal").exists()
    assert "完好" in cli("log", "verify", "--export", str(file)).out
    kept = folder / "checkpoint.json"
    kept.write_text(cli("log", "checkpoint").out)
    found = cli("log", "verify", "--export", str(file), "--checkpoint", str(kept), "--json")
    assert json.loads(found.out)["records"] == 2
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    assert "export_altered" in cli("log", "verify", "--export", str(file)).out
    (folder / f"{name}.seal").unlink()
    assert cli("log", "verify", "--export", str(file)).code == 1
    file.write_bytes(content)
    assert "export_without_seal" in cli("log", "verify", "--export", str(file)).out
    (folder / "log.key").unlink()
    assert "export_without_key" in cli("log", "verify", "--export", str(file)).out
    assert cli("log", "verify", "--export", str(folder / "no")).err.startswith("cannot_read")
