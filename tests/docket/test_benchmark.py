"""The benchmark of dockets runs, and SQL made from the circuit answers as the product does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def test_duckdb_answers_alike(tmp_path: Path) -> None:
    options = ("--rows", "3000", "--rounds", "1", "--peers", "duckdb", "--sample", "3000")
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.docket", *options, "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    compared = re.search(r"([0-9,]+) rows compared: ([0-9]+) differences", ran.stdout)
    assert compared is not None, ran.stdout
    assert int(compared[1].replace(",", "")) >= 2_900
    assert int(compared[2]) == 0
    assert re.search(r"peak of all processes [1-9]", ran.stdout)
    assert list(tmp_path.iterdir()) == []
