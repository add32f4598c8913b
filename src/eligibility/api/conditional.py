"""ETags: a body that the caller has already is not sent again."""

from __future__ import annotations

from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NEVER = frozenset({"/healthz", "/readyz", "/metrics"})
_OF_A_BODY = frozenset({b"content-length", b"content-type"})


class Conditional:
    """Gives each whole answer of GET a strong ETag; 304 where ``If-None-Match`` names it.

    The tag is a digest of the body, so equal tags mean equal bytes, whoever computed them. An
    answer that brings a tag of its own, as files do, keeps it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] in NEVER:
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        unchanged = False

        async def tagged(message: Message) -> None:
            nonlocal start
            nonlocal unchanged
            if message["type"] == "http.response.start" and message["status"] == 200:
                tag = next((v for name, v in message.get("headers", ()) if name == b"etag"), None)
                unchanged = tag is not None and _named(scope, tag)
                if unchanged:
                    await send(_unchanged(message))
                    await send({"type": "http.response.body", "body": b""})
                elif tag is not None:
                    await send(message)
                else:
                    start = message
                return
            if unchanged:
                return
            if start is not None:
                first, start = start, None
                if not message.get("more_body", False):
                    first, message = _answer(scope, first, message)
                await send(first)
            await send(message)

        await self.app(scope, receive, tagged)


def _answer(scope: Scope, start: Message, body: Message) -> tuple[Message, Message]:
    tag = b'"' + sha256(body.get("body", b"")).hexdigest()[:32].encode() + b'"'
    headers = [*start.get("headers", ()), (b"etag", tag)]
    if not _named(scope, tag):
        return {**start, "headers": headers}, body
    return _unchanged({**start, "headers": headers}), {**body, "body": b""}


def _unchanged(start: Message) -> Message:
    kept = [(name, value) for name, value in start["headers"] if name not in _OF_A_BODY]
    return {**start, "status": 304, "headers": kept}


def _named(scope: Scope, tag: bytes) -> bool:
    given = [value for name, value in scope["headers"] if name == b"if-none-match"]
    tags = [part.strip().removeprefix(b"W/") for value in given for part in value.split(b",")]
    return b"*" in tags or tag in tags
