"""Send cases and events, and show what is owed: ``python -m case_system send FILE``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from pathlib import Path

from .outbox import Message, Outbox
from .service import Locked, Service, Unavailable

TRY_AGAIN = 75  # EX_TEMPFAIL: what waits is kept
UNREADABLE = 65  # EX_DATAERR: nothing was kept


def read(path: Path) -> list[Message]:
    """Lines of ``{"key", "case", "as_of"}`` and of ``{"key", "event"}``."""
    return [message_of(json.loads(s)) for s in path.read_text("utf-8").splitlines() if s.strip()]


def message_of(line: dict[str, object]) -> Message:
    key = str(line.pop("key"))
    event = line.pop("event", None)
    if isinstance(event, dict):
        return Message(key, "/v1/events", _text({**event, "id": key}))
    return Message(key, "/v1/decisions", _text(line))


def _text(body: dict[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="case_system", description=__doc__)
    parser.add_argument("--base", default="http://127.0.0.1:8000", help="address of the service")
    parser.add_argument("--store", type=Path, default=Path("case_system.db"), help="the outbox")
    parser.add_argument("--patience", type=float, default=60, help="seconds to try a request")
    parser.add_argument("--as-of", help="the day whose duties are shown; default: today")
    commands = parser.add_subparsers(dest="command", required=True)
    send = commands.add_parser("send", help="send files and what still waits; show what is owed")
    send.add_argument("files", type=Path, nargs="*")
    send.add_argument("--every", type=float, help="again after so many seconds, until stopped")
    report = commands.add_parser("report", help="report an event that answers a duty")
    report.add_argument("duty")
    report.add_argument("type", help="see /v1/events/types")
    report.add_argument("on", help="the day it happened, such as 2024-09-14")
    report.add_argument("--facts", type=json.loads, default={}, help="JSON, where the type has any")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    outbox = Outbox(given.store)
    service = Service(given.base, os.environ.get("ELIGIBILITY_KEY"), given.patience)
    try:
        if given.command == "report":
            body = {"type": given.type, "on": given.on, "facts": given.facts}
            body["id"] = str(uuid.uuid4())  # chosen once, kept, and sent each time
            outbox.put([Message(body["id"], f"/v1/follow-ups/{given.duty}/events", _text(body))])
        elif not taken(outbox, given.files):
            return UNREADABLE
        while True:
            work(service, outbox, given.as_of)
            if getattr(given, "every", None) is None:
                return 1 if outbox.answers("refused") else 0
            time.sleep(given.every)
    except (Unavailable, Locked) as error:
        left = len(outbox.waiting())
        print(f"{error}\n{left} 件待发，下次再发 / kept, to be sent next time", file=sys.stderr)
        return TRY_AGAIN
    finally:
        service.close()
        outbox.close()


def taken(outbox: Outbox, files: list[Path]) -> bool:
    """Keep what the files hold, all of it or nothing."""
    try:
        outbox.put([message for path in files for message in read(path)])
    except (OSError, ValueError, KeyError) as error:
        print(f"不能读取 / cannot be read: {error}", file=sys.stderr)
        return False
    return True


def work(service: Service, outbox: Outbox, as_of: str | None) -> None:
    """Send what waits, then keep and show the answers and what is owed."""
    service.send(outbox)
    for message, answer in outbox.answers("answered"):
        if message.path == "/v1/decisions":
            print(answer["decision_id"], answer["case_no"], answer["outcome_label"]["zh"])
    for message, answer in outbox.answers("refused"):
        print(f"{message.key}: {answer['detail']}", file=sys.stderr)
    duties = list(service.duties(as_of))
    outbox.keep_duties(duties)
    for duty in duties:
        label, title = duty["state_label"]["zh"], duty["title"]["zh"]
        print(duty["id"], duty["due"] or "—", label, duty["case_no"], title)


if __name__ == "__main__":
    sys.exit(main())
