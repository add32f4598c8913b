"""Objects handed from process to process in files without a name.

Arrays go as they lie in memory: written once, and mapped by whoever receives them, so that any
number of processes share one copy and none holds more of it than it looks at. A file without a
name is gone with the last process that has it open, however that process ends.
"""

from __future__ import annotations

import mmap
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

_ALIGNED = 64
_PAGE = mmap.ALLOCATIONGRANULARITY
_SIZE = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its file an object lies, in bytes."""

    offset: int
    length: int


def unnamed(folder: Path) -> IO[bytes]:
    """A new file on the disk of ``folder`` that nobody else can open. Raises OSError."""
    return tempfile.TemporaryFile(dir=folder)


def put(file: IO[bytes], thing: Any) -> Place:
    """Appends an object; its arrays behind one another, then how to make it of them.

    Raises OSError, and pickle.PicklingError for what cannot leave its process.
    """
    start = _aligned(file, _PAGE)
    places: list[tuple[int, int]] = []

    def aside(buffer: pickle.PickleBuffer) -> None:
        raw = buffer.raw()
        places.append((_aligned(file, _ALIGNED) - start, raw.nbytes))
        file.write(raw)

    made = pickle.dumps(thing, protocol=5, buffer_callback=aside)
    head = pickle.dumps((places, made))
    file.write(head)
    file.write(len(head).to_bytes(_SIZE, "little"))
    file.flush()
    return Place(start, file.tell() - start)


def get(handle: int, place: Place) -> Any:
    """The object that :func:`put` wrote to a file of this program. Its arrays cannot be written
    to, and hold the file for as long as they are used; the handle itself is not needed any more.
    """
    held = mmap.mmap(handle, place.length, prot=mmap.PROT_READ, offset=place.offset)
    whole = memoryview(held)
    end = place.length - _SIZE
    head = whole[end - int.from_bytes(whole[end:], "little") : end]
    places, made = pickle.loads(head)
    return pickle.loads(made, buffers=[whole[at : at + size] for at, size in places])


def _aligned(file: IO[bytes], step: int) -> int:
    """Goes on at a multiple of ``step``, the place where it then is."""
    at = -(-file.tell() // step) * step
    file.seek(at)
    return at


def enclosed(batch: pa.RecordBatch) -> pa.Buffer:
    """A batch as one buffer; of a slice only what it shows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def disclosed(buffer: pa.Buffer) -> pa.RecordBatch:
    """The batch that :func:`enclosed` took, where it lies."""
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_next_batch()
