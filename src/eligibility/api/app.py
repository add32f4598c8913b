"""The application, and how it is started."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import parent_process
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI

from eligibility import __version__
from eligibility.api import (
    access,
    batch,
    courts,
    docs,
    follow_up,
    logs,
    notices,
    openapi,
    operations,
    problems,
    reading,
    routes,
    schedule,
    screening,
)
from eligibility.api.conditional import Conditional
from eligibility.api.exchange import Exchanges
from eligibility.api.head import HeadAsGet
from eligibility.api.headers import SecurityHeaders
from eligibility.api.limits import Limits
from eligibility.api.metrics import DIRECTORY, Metrics
from eligibility.api.readiness import Readiness
from eligibility.api.screening_jobs import ScreeningJobs, files_of
from eligibility.api.service import Service, local_today, now
from eligibility.api.tracing import Traced, Tracing
from eligibility.engines import trial
from eligibility.errors import MalformedInput, Problem, Text
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.settings import SECRETS, Settings, read_settings

WORKER_PATIENCE = 30
"""Seconds that a worker may be silent before it is replaced: a machine may be busy."""
COLLECT_AFTER = 50_000
"""Containers made and kept between two looks for circular garbage; some megabytes."""

DESCRIPTION = """\
交叉执行条件审查：案件是否符合交叉执行条件、依据哪些规则、还缺什么。
Decides whether a stuck enforcement case qualifies for cross-execution, by which rules, and
what is missing.
"""


def create_app(rulebase: Rulebase, settings: Settings | None = None) -> FastAPI:
    """The service for one rule base."""
    service = Service(rulebase, settings or read_settings())
    readiness, metrics = Readiness(service), Metrics()
    jobs = ScreeningJobs(service, files_of(service.settings), metrics)
    tracing = Tracing() if service.settings.tracing else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if tracing is not None:
            tracing.start()
        service.warm_up()
        service.versions.start()
        service.follow_ups.refresh(now())
        jobs.start()
        readiness.started = True
        with operations.draining(readiness, service.settings.shutdown_delay):
            yield
        readiness.draining = True
        jobs.stop()
        service.close()
        if tracing is not None:
            tracing.close()

    app = FastAPI(
        title="eligibility",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.metrics = metrics
    app.state.screenings = jobs
    # Added last is outermost: the headers are on every answer, and every answer is logged.
    app.add_middleware(Conditional)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Limits, settings=service.settings)
    if tracing is not None:
        app.add_middleware(Traced, tracing=tracing)
    app.add_middleware(Exchanges, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    gate = access.Gate(service.settings, service.follow_ups.database, service.decider.register)
    access.install(app, gate, now)
    docs.install(app)
    app.include_router(routes.router(service))
    app.include_router(batch.router(service))
    app.include_router(operations.router(readiness, metrics))
    app.include_router(reading.router(service))
    app.include_router(schedule.router(service))
    app.include_router(follow_up.router(service))
    app.include_router(notices.router(service))
    app.include_router(courts.router(service))
    app.include_router(screening.router(service, jobs))
    # As FastAPI's pages say to extend the document; its type does not foresee it.
    app.openapi = openapi.documented(app, service)  # type: ignore[method-assign]
    return app


def app_from_environment() -> FastAPI:
    """The application as ``ELIGIBILITY_*`` describes it; what worker processes start with."""
    collect_rarely()
    _end_with_parent()
    settings = read_settings()
    return create_app(load_rules(settings.rules), settings)


def _end_with_parent() -> None:
    """A worker whose parent was killed would hold the port, and no new service could start."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="end-with-parent", daemon=True).start()


def prove(rulebase: Rulebase) -> None:
    """Try every profile's circuit in a child process before the service depends on it."""
    trial.prove(rulebase, local_today())


def collect_rarely() -> None:
    """Look for circular garbage once in many decisions, not several times in each.

    A decision is made of thousands of containers, nearly all of which go when it is answered;
    looking for circles among them every 700 took a tenth of the time.
    """
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


def _tell_workers(settings: Settings) -> None:
    """By the environment, which others may come to see; secrets each worker reads for itself."""
    for name, value in settings.model_dump(exclude_none=True, exclude=set(SECRETS)).items():
        os.environ[f"ELIGIBILITY_{name.upper()}"] = str(value)
    if read_settings() != settings:
        zh = "多进程时须由 ELIGIBILITY_SECRETS_DIR 或环境变量设定"
        en = "several workers read it from ELIGIBILITY_SECRETS_DIR or from the environment"
        places = ", ".join(f"ELIGIBILITY_{name.upper()}" for name in sorted(SECRETS))
        raise MalformedInput(Problem("bad_setting", Text(zh, en), places))


def run(settings: Settings, workers: int = 1) -> None:
    """Serve until stopped. A rule base with faults raises before anything listens."""
    common: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "log_config": logs.configuration(settings),
        "access_log": False,
        "timeout_graceful_shutdown": settings.shutdown_timeout,
        "timeout_worker_healthcheck": WORKER_PATIENCE,
    }
    rulebase = load_rules(settings.rules)
    prove(rulebase)
    if workers <= 1:
        collect_rarely()
        uvicorn.run(create_app(rulebase, settings), **common)
        return
    _tell_workers(settings)
    with tempfile.TemporaryDirectory(prefix="eligibility-metrics-") as folder:
        os.environ[DIRECTORY] = folder
        try:
            uvicorn.run(
                "eligibility.api.app:app_from_environment",
                factory=True,
                workers=workers,
                **common,
            )
        finally:
            del os.environ[DIRECTORY]
