"""Dockets received and results to be fetched: a folder for each screening, for the service alone.

``<folder>/<id>/docket.csv`` is there from before the job is acknowledged until it has ended,
``result-<attempt>.csv`` from its end until the job is forgotten. All of it is personal data:
folders have mode 0700, files 0600, and no log names more than the id.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, NoReturn

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from eligibility.api.problems import RequestError
from eligibility.docket.process import sync
from eligibility.errors import Problem, Text
from eligibility.records.screenings import ENDED, Job

MEDIA_TYPES = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
KINDS = {media_type: kind for kind, media_type in MEDIA_TYPES.items()}
PART = 1024 * 1024
JOB_ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """An id that is never used again and that nobody can guess."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Received:
    """A docket on the disk; ``digest`` of its bytes."""

    bytes: int
    digest: str


class DocketFiles:
    """The files of all screenings under one folder, which several processes may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, job_id: str) -> Path:
        return self._folder / job_id

    def docket(self, job_id: str, kind: str) -> Path:
        return self.of(job_id) / docket_name(kind)

    def result(self, job: Job) -> Path:
        return self.of(job.id) / result_name(job)

    async def receive(
        self, job_id: str, kind: str, parts: AsyncIterator[bytes], limit: int
    ) -> Received:
        """Keep a body as the docket of a new job: on the disk, and whole, when this returns.

        Raises RequestError (413 ``docket_too_large``, 503 ``docket_not_kept``), and whatever the
        parts raise; nothing is left then.
        """
        try:
            with await run_in_threadpool(self._create, job_id, kind) as file:
                received = await _written(parts, file, limit)
            await run_in_threadpool(self._settle, job_id)
        except BaseException as error:
            self.remove(job_id)
            if isinstance(error, OSError) and not isinstance(error, ClientDisconnect):
                _not_kept(error)
            raise
        return received

    def _create(self, job_id: str, kind: str) -> IO[bytes]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.of(job_id).mkdir(mode=0o700)
        handle = os.open(self.docket(job_id, kind), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(handle, "wb")

    def _settle(self, job_id: str) -> None:
        for folder in (self.of(job_id), self._folder):
            sync(folder)

    def remove(self, job_id: str) -> None:
        """All files of a job; those that are there no more are gone already."""
        shutil.rmtree(self.of(job_id), ignore_errors=True)

    def tidy(self, job: Job) -> None:
        """Leave of an ended job its result alone, and nothing where it has none."""
        if job.state not in ENDED:
            return
        if job.state != "done":
            self.remove(job.id)
            return
        for path in self._listed(self.of(job.id)):
            if path.name != result_name(job):
                path.unlink(missing_ok=True)

    def last_written(self) -> dict[str, float]:
        """The folders of jobs that there are, and when each was last written in (epoch)."""
        found = {}
        for path in self._listed(self._folder):
            if JOB_ID.fullmatch(path.name) is None:
                continue  # not ours
            try:
                found[path.name] = path.stat().st_mtime
            except FileNotFoundError:
                continue
        return found

    def _listed(self, folder: Path) -> Iterator[Path]:
        try:
            return iter(list(folder.iterdir()))
        except FileNotFoundError:
            return iter(())


def docket_name(kind: str) -> str:
    return f"docket.{kind}"


def result_name(job: Job) -> str:
    """A name of its own for each attempt: one that was overtaken cannot replace a result."""
    return f"result-{job.attempt}.{job.request['format']}"


def kind_of(request: Request) -> str:
    """What the body is declared to be. Raises RequestError (415 ``unsupported_media_type``).

    A table may be in UTF-8 or GB18030, which is found out by reading it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        text = Text("请不要压缩请求内容", "send the body uncompressed")
        raise RequestError(415, Problem("unsupported_media_type", text))
    if kind not in KINDS:
        known = tuple(KINDS)
        text = Text(f"请以 {'、'.join(known)} 发送", f"send {', '.join(known)}")
        raise RequestError(415, Problem("unsupported_media_type", text, allowed=known))
    return KINDS[kind]


def check_declared(request: Request, limit: int) -> None:
    """Refuse a docket before it is read where its length is declared and is too much."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > limit:
        _too_large(limit)


async def _written(parts: AsyncIterator[bytes], file: IO[bytes], limit: int) -> Received:
    digest, size, kept = sha256(), 0, bytearray()

    def write() -> None:
        digest.update(kept)
        file.write(kept)
        kept.clear()

    def settle() -> None:
        write()
        file.flush()
        os.fsync(file.fileno())

    async for part in parts:
        size += len(part)
        if size > limit:
            _too_large(limit)
        kept += part
        if len(kept) >= PART:
            await run_in_threadpool(write)
    await run_in_threadpool(settle)
    return Received(size, digest.hexdigest())


def _too_large(limit: int) -> NoReturn:
    text = Text(f"案件表不得超过 {limit} 字节", f"a docket must not exceed {limit} bytes")
    raise RequestError(413, Problem("docket_too_large", text))


def _not_kept(error: OSError) -> NoReturn:
    why = error.strerror or type(error).__name__
    text = Text(f"案件表未能存盘：{why}", f"the docket could not be kept: {why}")
    raise RequestError(503, Problem("docket_not_kept", text)) from error
