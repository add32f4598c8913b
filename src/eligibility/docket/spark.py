"""A docket screened by Apache Spark: tasks with references go out, counts of parts come back.

Rows never pass through Spark. Each task reads its own row groups and writes its own part
file, so that files and result must lie where every machine sees them under one path. What only
all rows together know is counted by whoever starts the tasks, between two rounds of them. Needs
the optional dependency group ``spark`` and Java; nothing else in the package does.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eligibility.docket.facts import DocketFacts
from eligibility.docket.mentions import Mentions
from eligibility.docket.parts import Folder, whole_folder
from eligibility.docket.portions import Basis, read_written, write_portion
from eligibility.docket.references import references_of
from eligibility.docket.tally import Tally
from eligibility.docket.tasks import (
    Job,
    attempted,
    gather_reference,
    problems_left,
    screen_reference,
)
from eligibility.errors import EngineError, MalformedInput, Problem, Text

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.core.broadcast import Broadcast

T = TypeVar("T")
Gather = Callable[[Iterable[Mentions]], DocketFacts]
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Spark runs. ``master``: as in Spark's ``--master``; without it the one of
    ``spark-submit`` or ``spark-defaults.conf``, else all cores of this machine. ``settings``:
    Spark's own, which stand before all others.
    """

    master: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


def screen_docket(
    cluster: Cluster, job: Job, files: Sequence[Path], out: Path, gather: Gather | None = None
) -> tuple[Tally, DocketFacts | None]:
    """Screens ``files`` into the folder ``out``: its parts in order of name hold the rows in the
    order of the docket.

    ``gather``: makes the facts of the docket from the mentions of all its rows; without it there
    are none. Raises MalformedInput (a file cannot be read, or ``out`` not written), Conflict
    (``output_exists``), EngineError (``spark_failed``, ``worker_differs``), each time without
    a result.
    """
    with whole_folder(out, job.kind) as folder, connected(cluster) as context:
        return screened(context, replace(job, folder=str(folder.attempts)), files, folder, gather)


def screened(
    context: SparkContext, job: Job, files: Sequence[Path], folder: Folder, gather: Gather | None
) -> tuple[Tally, DocketFacts | None]:
    """The parts of a result in ``folder``, by a Spark that runs already; see
    :func:`screen_docket`.
    """
    references = references_of(files, context.defaultParallelism)
    facts: DocketFacts | None = None
    portions: Sequence[str | None] = [None] * len(references)
    if gather is not None:
        found = _run(context, job, gather_reference, [(one,) for one in references])
        facts, portions = _portions(folder, found, gather)
        job = replace(job, basis=Basis.of(facts))
    each = list(zip(references, portions, strict=True))
    parts = _run(context, job, screen_reference, each)
    folder.keep([part.name for part in parts])
    tally = Tally()
    for part in parts:
        tally.merge(part.tally)
    return tally, facts


def _portions(
    folder: Folder, written: Sequence[str], gather: Gather
) -> tuple[DocketFacts, list[str]]:
    """The facts of the whole docket, and for each reference the file with those it needs."""
    paths = [folder.attempts / name for name in written]
    facts = gather(mentions for path in paths for mentions in read_written(path))
    names = [f"{name}.facts" for name in written]
    for path, name in zip(paths, names, strict=True):
        write_portion(folder.attempts / name, facts, read_written(path))
        path.unlink()
    return facts, names


def _run(
    context: SparkContext, job: Job, work: Callable[..., T], arguments: Sequence[tuple[Any, ...]]
) -> list[T]:
    """What ``work`` gives for each set of arguments, in order: of each the attempt that succeeded.

    The job goes to each process once.
    """
    from py4j.protocol import Py4JError

    shared = context.broadcast(job)
    numbered = list(enumerate(arguments))
    try:
        tasks = context.parallelize(numbered, len(numbered))
        return tasks.map(partial(_attempt, shared, work)).collect()
    except Py4JError as error:
        left = problems_left(Path(job.folder))
        if left:
            kind = EngineError if left[0].code == "worker_differs" else MalformedInput
            raise kind(left) from None
        raise _failed(error) from None
    finally:
        shared.unpersist()


def _attempt(
    shared: Broadcast[Job], work: Callable[..., T], numbered: tuple[int, tuple[Any, ...]]
) -> T:
    job, (number, arguments) = shared.value, numbered
    return attempted(job, number, partial(work, job, number, *arguments))


# --- the connection -----------------------------------------------------------------------------


@contextmanager
def connected(cluster: Cluster) -> Iterator[SparkContext]:
    """A Spark application of one's own, ended at the end.

    Raises MalformedInput (``not_installed``) where PySpark or Java is missing, EngineError
    (``spark_failed``) where the cluster does not answer.
    """
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
    except ImportError:
        zh, en = "缺少 PySpark：pip install 'eligibility[spark]'", "PySpark is not installed"
        raise MalformedInput(Problem("not_installed", Text(zh, en))) from None
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        zh = "缺少 Java：Spark 需要 Java 17 或以上（apt-get install openjdk-17-jre-headless）"
        en = "Java is not installed; Spark needs Java 17 or newer"
        raise MalformedInput(Problem("not_installed", Text(zh, en)))
    from py4j.protocol import Py4JError

    before = _interrupts()
    try:
        context = SparkContext(conf=_settled(SparkConf(), cluster))
    except (PySparkException, Py4JError, ValueError) as error:
        raise _failed(error) from None
    try:
        yield context
    finally:
        context.stop()
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _interrupts() -> Any:
    """What happens on Ctrl-C today; Spark puts its own handler there."""
    main = threading.current_thread() is threading.main_thread()
    return signal.getsignal(signal.SIGINT) if main else None


def _settled(conf: Any, cluster: Cluster) -> Any:
    for name, value in cluster.settings.items():
        conf.set(name, value)
    if cluster.master is not None:
        conf.setMaster(cluster.master)
    conf.setIfMissing("spark.master", "local[*]")
    conf.setIfMissing("spark.app.name", "eligibility screen")
    conf.setIfMissing("spark.log.level", "ERROR")
    conf.setIfMissing("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
    if conf.get("spark.master").startswith("local"):
        # Nobody else need reach it, and the workers are this very program.
        conf.setIfMissing("spark.driver.host", HERE)
        conf.setIfMissing("spark.driver.bindAddress", HERE)
        conf.setIfMissing("spark.ui.enabled", "false")
        os.environ.setdefault("SPARK_LOCAL_IP", HERE)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return conf


def _failed(error: Exception) -> EngineError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    why = " ".join(lines[:3])[:300]
    return EngineError(Problem("spark_failed", Text(f"Spark：{why}", f"Spark: {why}")))
