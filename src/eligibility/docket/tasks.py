"""What one task of a distributed screening does: its own rows read, screened and written.

Knows nothing of the system that runs it. A process compiles a rule base once and keeps it by
its digest for the tasks that follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from eligibility import __version__
from eligibility.decision.decide import Decider
from eligibility.docket.batches import ahead, beside, screened, write_batches
from eligibility.docket.mentions import read_mentions
from eligibility.docket.parts import attempt_name, write_faults
from eligibility.docket.portions import Basis, read_portion, write_mentions
from eligibility.docket.references import Reference, under_own_name
from eligibility.docket.run import schema_of
from eligibility.docket.screening import Screening
from eligibility.docket.tally import Tally
from eligibility.errors import EligibilityError, EngineError, Problem, Text
from eligibility.rulebase.loader import load

T = TypeVar("T")
_PROBLEMS = ".problems"


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all tasks; equal where the compiled rule base is.

    ``texts``: the rule base, file name to YAML. ``ignored``: as of :class:`Screening`.
    ``kind``: suffix of the part files; ``folder``: where attempts are written; ``basis``: of the
    facts of the docket, where there are any.
    """

    digest: str
    texts: Mapping[str, str] = field(compare=False, repr=False)
    today: date
    as_of: date | None
    profile: str | None
    profile_column: str | None = field(compare=False)
    dates: bool
    kind: str = field(compare=False)
    folder: str = field(default="", compare=False)
    ignored: frozenset[str] = frozenset()
    version: str = __version__
    basis: Basis | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a task wrote: its file in the job's folder and the counts of its rows."""

    name: str
    tally: Tally


_KEPT: dict[Job, Screening] = {}


def screening_of(job: Job) -> Screening:
    """The screening of a job, compiled once in this process.

    Raises EngineError (``worker_differs``) where this process has another version of the
    program, or the texts give another rule base here.
    """
    found = _KEPT.get(job)
    if found is None:
        rulebase = load(job.texts)
        here = f"{__version__} {rulebase.digest}"
        if here != f"{job.version} {job.digest}":
            zh = f"执行节点上的程序不同：{here}"
            said = Text(zh, f"a worker has another program: {here}")
            raise EngineError(Problem("worker_differs", said))
        decider = Decider(rulebase)
        found = Screening(decider, job.today, job.as_of, job.profile, job.dates, job.ignored)
        _KEPT.clear()
        _KEPT[job] = found
    return found


def gather_reference(job: Job, number: int, reference: Reference) -> str:
    """Writes the mentions of the rows of a reference; the name of the file.

    Raises MalformedInput where they cannot be read.
    """
    vocabulary = screening_of(job).decider.rulebase.vocabulary
    name = attempt_name(number, ".mentions")
    path = Path(job.folder, name)
    with under_own_name(reference), write_faults(path):
        found = read_mentions(Path(reference.path), vocabulary, reference.row_groups)
        write_mentions(path, found)
    return name


def screen_reference(job: Job, number: int, reference: Reference, portion: str | None) -> Part:
    """Screens the rows of a reference into a file of its own.

    ``portion``: the file of the facts of the docket that its rows need. Raises MalformedInput
    where the rows cannot be read.
    """
    screening, tally, facts = screening_of(job), Tally(), None
    if portion is not None:
        assert job.basis is not None
        rulebase = screening.decider.rulebase
        facts = read_portion(Path(job.folder, portion), rulebase, job.basis)

    def batches() -> Iterator[pa.RecordBatch]:
        for found in ahead(screened(screening, reference, job.profile_column, facts)):
            batch = beside(found.batch, found.more)
            tally.add(batch)
            yield batch

    name = attempt_name(number, job.kind)
    path = Path(job.folder, name)
    with write_faults(path):  # what cannot be read is MalformedInput already
        write_batches(path, job.kind, batches(), schema_of(screening, facts))
    return Part(name, tally)


# --- failures -----------------------------------------------------------------------------------


def attempted(job: Job, number: int, work: Callable[[], T]) -> T:
    """Runs a task; what stops it is left where :func:`problems_left` finds it.

    The system that runs tasks hands on no more than a text, and may try again before it gives up.
    """
    try:
        return work()
    except EligibilityError as error:
        left = [(p.code, p.message.zh, p.message.en, str(p.place)) for p in error.problems]
        path = Path(job.folder, attempt_name(number, _PROBLEMS))
        with suppress(OSError):  # the disk may be full
            path.write_text(json.dumps(left, ensure_ascii=False), encoding="utf-8")
        raise


def problems_left(folder: Path) -> list[Problem]:
    """The problems of the first rows for which a task left any."""
    for path in sorted(folder.glob(f"*{_PROBLEMS}")):
        found = json.loads(path.read_text(encoding="utf-8"))
        return [Problem(code, Text(zh, en), place) for code, zh, en, place in found]
    return []
