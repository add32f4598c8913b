"""What sealing the data of a case costs a record.

``python -m benchmarks.sealing`` prints medians over one large answer, in a temporary folder.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from benchmarks.log import DAY, KEY, examples, seconds
from eligibility.decision.decide import Decider
from eligibility.records.database import Database, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.sealing_key import SealingKey, new_data_key, packed
from eligibility.records.vault import Vault
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts, shipped

ROUNDS = 300


def main() -> None:
    texts = read_texts(shipped("rules"))
    decider = Decider(load(texts))
    asked = examples()[0]
    body = decider.decide(asked["case"], today=DAY, profile=asked["profile"], engine="native")
    text, key, secret = json.dumps(body, ensure_ascii=False), new_data_key(), SealingKey("s" * 32)
    raw = packed(text)
    sealed = key.seal("x", raw)
    print(f"body: {len(text.encode()) / 1000:.0f} kB, sealed {len(sealed) / 1000:.0f} kB")
    for name, work in (
        ("packing, before the transaction", lambda: packed(text)),
        ("sealing, within it", lambda: key.seal("x", raw)),
        ("opening", lambda: key.open("x", sealed)),
        ("a new data key, wrapped", lambda: secret.wrap(new_data_key(), "case")),
    ):
        print(f"{name}: {median(seconds(work) for _ in range(ROUNDS)) * 1e6:.0f} µs")
    with tempfile.TemporaryDirectory() as folder:
        followed = {
            name: FollowUps(
                Database.open(file_url(Path(folder) / f"{name}.db")), decider, texts, KEY, vault
            )
            for name, vault in (("plain", Vault()), ("sealed", Vault(secret)))
        }
        taken: dict[str, list[float]] = {name: [] for name in followed}
        for number in range(ROUNDS):  # by turns, so that both meet the same machine
            for name, records in followed.items():
                made = {**body, "case_no": str(number)}
                request = {"case": {**asked["case"], "case_no": str(number)}}
                start = perf_counter()
                records.record_decision(request, made, datetime.now(UTC))
                taken[name].append(perf_counter() - start)
        for name, times in taken.items():
            size = (Path(folder) / f"{name}.db").stat().st_size / ROUNDS / 1000
            best = quantiles(times, n=10)[0]  # of a machine that is shared
            print(
                f"recording, {name}: {median(times) * 1e3:.2f} ms, the fastest tenth within"
                f" {best * 1e3:.2f} ms; {size:.0f} kB of file"
            )
        for records in followed.values():
            records.close()


if __name__ == "__main__":
    main()
