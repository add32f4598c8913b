"""Spans as a collector gets them: what a request was, whose trace it belongs to, and no case."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from eligibility.api.app import create_app
from eligibility.errors import MalformedInput
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER_SPAN = "00f067aa0ba902b7"
CASE_NO = "（2024）苏0902执1234号"


class Collector:
    """What is sent to it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                bodies.append(gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *ignored: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def spans(self) -> list[Span]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = (s for f in found for r in f.resource_spans for s in r.scope_spans)
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture(name="collector")
def fixture_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield made
    made.close()


def attributes(span: Span) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_a_request_is_a_span_of_its_callers_trace(
    rulebase: Rulebase, collector: Collector, tmp_path: Any
) -> None:
    app = create_app(rulebase, Settings(tracing=True, data_dir=str(tmp_path)))
    with TestClient(app) as client:
        made = client.post(
            "/v1/decisions",
            json={"case": {"case_no": CASE_NO, "court_id": "盐城市亭湖区人民法院"}},
            headers={"traceparent": f"00-{TRACE}-{CALLER_SPAN}-01"},
        )
        assert made.status_code == 201
        assert client.get(f"/v1/cases/{CASE_NO}/nothing").status_code == 404
        assert client.get("/v1/decisions/unknown-of-all").status_code == 404
    spans = {span.name: span for span in collector.spans()}
    decided = spans["POST /v1/decisions"]
    assert (decided.trace_id.hex(), decided.parent_span_id.hex()) == (TRACE, CALLER_SPAN)
    assert decided.kind == Span.SPAN_KIND_SERVER
    assert attributes(decided) == {
        "http.request.method": "POST",
        "http.route": "/v1/decisions",
        "http.response.status_code": 201,
        "eligibility.request_id": made.headers["X-Request-Id"],
        "eligibility.outcome": made.json()["outcome"],
    }
    parts = {s.name for s in spans.values() if s.parent_span_id == decided.span_id}
    assert parts == {"decide", "record"}
    unknown = spans["GET /v1/decisions/{decision_id}"]
    assert attributes(unknown)["eligibility.code"] == "unknown_decision"
    assert unknown.status.code != Status.STATUS_CODE_ERROR  # of the caller, not of the service
    assert attributes(spans["GET unmatched"])["http.response.status_code"] == 404
    sent = b"".join(collector.bodies)
    assert not any(word.encode() in sent for word in (CASE_NO, "亭湖", "unknown-of-all"))


def test_a_collector_that_is_away_stops_nothing(
    rulebase: Rulebase, collector: Collector, tmp_path: Any
) -> None:
    collector.close()
    app = create_app(rulebase, Settings(tracing=True, data_dir=str(tmp_path)))
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
    assert collector.spans() == []


def test_without_the_packages_it_is_refused(
    rulebase: Rulebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MalformedInput) as refused:
        create_app(rulebase, Settings(tracing=True))
    problem = refused.value.problems[0]
    assert (problem.code, problem.place) == ("not_installed", "ELIGIBILITY_TRACING")
    assert "telemetry" in problem.line()
