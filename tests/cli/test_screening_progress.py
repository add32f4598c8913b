"""How far a screening is, as a terminal shows it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from eligibility.cli.screening import _shown
from eligibility.docket.run import Progress


def test_rate_share_and_the_time_left_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with _shown() as shown:
        time.sleep(0.3)  # the first pass
        for step in range(5):
            shown(Progress(Path("d.parquet"), step * 100, step, 1000))
            time.sleep(0.2)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    last = said.splitlines()[-1]
    assert "d.parquet：400 件，" in last
    (rate,) = re.findall(r"，([0-9,]+) 件/秒，0%", last)
    assert 200 < int(rate.replace(",", "")) < 700
    minutes, seconds = map(int, re.findall(r"剩余 / left 0:(\d\d):(\d\d)", last)[0])
    assert 100 < minutes * 60 + seconds < 400  # 996 bytes at 5 a second


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with _shown() as shown:
        shown(Progress(Path("d.parquet"), 100, 1, 2))
    assert capsys.readouterr().err.strip() == ""
