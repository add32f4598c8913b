"""Closed-loop load over raw sockets: each connection asks again as soon as it is answered.

Requests are joined from ready bytes and answers are counted, not parsed, so that the load
takes little of the machine that the server needs; :class:`Tally` says how much it took.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from time import perf_counter, process_time

from benchmarks.serving import HOST

END_OF_HEAD = b"\r\n\r\n"
END_OF_CHUNKS = b"0\r\n\r\n"
PROBLEM = b"urn:eligibility:problem:"


class Tally:
    """What all connections of one load were answered so far."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused = 0
        self.waited: list[float] = []
        self.stopping = False
        self.error: str | None = None
        self._start, self._cpu = perf_counter(), process_time()

    def rate(self) -> float:
        """Answers a second since the load began. Raises where a connection failed."""
        self.check()
        return self.answered / (perf_counter() - self._start)

    def effort(self) -> float:
        """The share of one core that making the load took."""
        return (process_time() - self._cpu) / (perf_counter() - self._start)

    def check(self) -> None:
        if self.error is not None:
            raise RuntimeError(self.error)


class Connection(asyncio.Protocol):
    """One connection; a subclass says what an answer is."""

    expected = b"201"

    def __init__(self, tally: Tally, requests: Iterator[bytes]) -> None:
        self.tally = tally
        self.requests = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.tally.stopping:
            self.transport.close()
            return
        self.received.clear()
        self.asked = perf_counter()
        self.transport.write(next(self.requests))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.tally.stopping:
            self.tally.error = self.tally.error or f"a connection was lost: {error}"
        if not self.done.done():
            self.done.set_result(None)

    def fail(self) -> None:
        self.tally.error = f"refused: {bytes(self.received[:1000])!r}"
        self.transport.abort()

    def stop(self) -> None:
        """The request under way is answered first."""

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(END_OF_HEAD)
        if end < 0:
            return
        if self.received[9:12] != self.expected:
            self.fail()
            return
        head = bytes(self.received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self.received) < end + len(END_OF_HEAD) + length:
            return
        self.tally.waited.append(perf_counter() - self.asked)
        self.tally.answered += 1
        self.ask()


class BatchConnection(Connection):
    """Counts the lines of answers as they come."""

    expected = b"200"

    def stop(self) -> None:
        """A batch takes long: it is given up."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        # Of the answer only the status and its last bytes are kept. Line ends within chunks
        # are bare; all other line ends of HTTP have a carriage return.
        self.received = self.received[:12] + self.received[12:][-5:] + data
        if len(self.received) >= 12 and self.received[9:12] != self.expected:
            self.fail()
            return
        self.tally.answered += data.count(b"\n") - data.count(b"\r")
        self.tally.refused += data.count(PROBLEM)
        finished = self.received.endswith(END_OF_CHUNKS)
        self.received = self.received[:12] + self.received[12:][-5:]
        if finished:
            self.ask()


def head(path: str, media_type: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode("ascii")


def singles(path: str, bodies: Iterator[bytes]) -> Iterator[bytes]:
    """Requests of one case each."""
    for body in bodies:
        yield head(path, "application/json", len(body)) + body


def batches(path: str, bodies: Iterator[bytes], lines: int) -> Iterator[bytes]:
    """Requests of many cases each."""
    while True:
        body = b"\n".join(islice(bodies, lines)) + b"\n"
        yield head(path, "application/x-ndjson", len(body)) + body


@asynccontextmanager
async def load(
    port: int,
    requests: Iterator[bytes],
    connections: int,
    kind: Callable[[Tally, Iterator[bytes]], Connection] = Connection,
) -> AsyncIterator[Tally]:
    """The load on a server; when left, its connections are stopped and closed."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: kind(tally, requests), HOST, port)
        for _ in range(connections)
    ]
    try:
        yield tally
    finally:
        tally.stopping = True
        for _, connection in opened:
            connection.stop()
        await asyncio.gather(*(connection.done for _, connection in opened))
