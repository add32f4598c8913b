"""What Prometheus reads at ``/metrics``.

With several workers each counts in files of its own (``PROMETHEUS_MULTIPROC_DIR``, which
``serve`` makes) and any of them answers for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from eligibility.decision.decide import Briefed
from eligibility.records.drafts import Answer

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

State = Callable[[], Iterator[tuple[str, str, Mapping[str, str], float]]]


class Metrics:
    """The counters of one application; names end as Prometheus asks."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self._requests = Histogram(
            "eligibility_request_seconds",
            "time to answer a request",
            ("method", "route", "status"),
            registry=own,
            buckets=_BUCKETS,
        )
        self._problems = Counter(
            "eligibility_problems", "answers that are problems", ("code",), registry=own
        )
        self._decisions = Counter(
            "eligibility_decisions",
            "decisions made, recorded or tried",
            ("outcome", "profile", "recorded"),
            registry=own,
        )
        self._repeats = Counter(
            "eligibility_decisions_repeated",
            "answers with a decision that was on record under the same key",
            registry=own,
        )
        self._rules = Counter(
            "eligibility_rules_fired", "rules true in a decision", ("rule",), registry=own
        )
        self._disagreements = Counter(
            "eligibility_engine_disagreements",
            "decisions refused because two engines differ",
            registry=own,
        )
        self.waiting = Gauge(
            "eligibility_records_waiting",
            "decisions waiting to be on record",
            registry=own,
            multiprocess_mode="livesum",
        )
        self.recording = Histogram(
            "eligibility_record_seconds",
            "time until a decision is on record",
            registry=own,
            buckets=_BUCKETS,
        )
        self.rows_screened = Counter(
            "eligibility_rows_screened", "rows of dockets that jobs answered", registry=own
        )
        self._kept: dict[tuple[str, ...], Any] = {}

    def request(
        self, method: str, route: str, status: int, seconds: float, code: str | None
    ) -> None:
        key = (method, route, str(status))
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._requests.labels(*key)
        found.observe(seconds)
        if code is None:
            return
        self._problems.labels(code).inc()
        if code == "engines_disagree":
            self._disagreements.inc()

    def decision(self, body: Mapping[str, Any], recorded: bool) -> None:
        """Count a decision and the rules that are true in it."""
        true = (rule["id"] for rule in body["rules"] if rule["verdict"] == "true")
        self._count(body["outcome"], body["profile"], recorded, true)

    def briefed(self, made: Briefed) -> None:
        """Count a decision that was made without its reasons; it is not recorded."""
        found = made.found
        lowered, verdicts = found.program.lowered, found.verdicts
        true = (rule.id for i, rule in enumerate(lowered.rules) if verdicts.true >> i & 1)
        self._count(found.outcome, lowered.profile, False, true)

    def answered(self, answer: Answer) -> None:
        """Count the answer to a request to record: a new decision, or one from before."""
        if answer.repeated:
            self._repeats.inc()
        else:
            self.decision(answer.body, True)

    def _count(self, outcome: str, profile: str, recorded: bool, true: Iterable[str]) -> None:
        self._decisions.labels(outcome, profile, str(recorded).lower()).inc()
        for rule in true:
            key = ("rule", rule)
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = self._rules.labels(rule)
            found.inc()

    def text(self, state: State) -> bytes:
        """Everything, of all workers, with what ``state`` says: (name, help, labels, value)."""
        folder = os.environ.get(DIRECTORY)
        shown = CollectorRegistry()
        if folder:
            _forget_the_dead(folder)
            MultiProcessCollector(shown, folder)  # type: ignore[no-untyped-call]  # prometheus_client says no types here
        shown.register(_State(state))
        return (
            generate_latest(shown)
            if folder
            else generate_latest(self.registry) + generate_latest(shown)
        )


class _State(Collector):
    def __init__(self, state: State) -> None:
        self.state = state

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, text, labels, value in self.state():
            if name not in families:
                families[name] = GaugeMetricFamily(name, text, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()


def _forget_the_dead(folder: str) -> None:
    """A worker that ended counts on in the counters, and no longer waits for anything."""
    for name in os.listdir(folder):
        kind, _, process = name.removesuffix(".db").rpartition("_")
        if not kind.startswith("gauge_live") or not process.isdigit():
            continue
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            os.unlink(os.path.join(folder, name))
        except PermissionError:
            continue
