"""Deciding again what is on record, to see that the answer is still the same.

Everything comes from the record: the request as it was asked, the profile, the day, the engine
and the rule base of its digest. Compared is the whole body but for ids and times of recording.
The body names the version of its renderer; where that was another than today's, rendered
texts (the strings under ``zh`` and ``en``) are not compared either, only that there are any.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from eligibility.decision.decide import Decider
from eligibility.documents import read_json
from eligibility.errors import (
    EngineError,
    FactsError,
    MalformedInput,
    NotFound,
    Problem,
    Text,
)
from eligibility.records import decisions
from eligibility.records.database import Database, RecordsError
from eligibility.records.decisions import Recorded
from eligibility.records.rulebases import CACHED, Library
from eligibility.records.seals import LogKey
from eligibility.records.vault import Shredded, Unreadable, Vault, is_sealed

STAMPS = ("decision_id", "decided_at", "follows")
"""Keys of a body that recording put there."""

RENDERER = "renderer"
SOURCES = "sources"  # only an answer in full has them
MOST_DIFFERENCES = 100
PAGE = 100
_TEXTS = ("zh", "en")
_ABSENT = object()

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of the body and what stands there: then, and now. ``None`` may be for nothing."""

    path: str
    then: Any
    now: Any

    def as_dict(self) -> Data:
        return {"path": self.path, "then": self.then, "now": self.now}


@dataclass(frozen=True, slots=True)
class Replay:
    """How a decision comes out when it is decided again.

    ``differences`` holds the first :data:`MOST_DIFFERENCES`, ``omitted`` counts the others.
    ``problems``: why it could not be decided again at all. ``notes`` change nothing.
    """

    decision_id: str
    differences: tuple[Difference, ...] = ()
    omitted: int = 0
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    @property
    def identical(self) -> bool:
        return not self.differences and not self.problems

    @property
    def shredded(self) -> bool:
        """Whether its content was destroyed, which is no fault of the record."""
        return any(problem.code == "shredded" for problem in self.problems)

    def as_dict(self) -> Data:
        return {
            "decision_id": self.decision_id,
            "identical": self.identical,
            "differences": [difference.as_dict() for difference in self.differences],
            "omitted": self.omitted,
            "problems": [problem.as_dict() for problem in self.problems],
            "notes": [note.as_dict() for note in self.notes],
        }


class Replayer:
    """Decides again by rule bases of its own loading, beside those in force.

    May be shared by threads; what it decides, it decides one after the other.
    """

    def __init__(
        self, database: Database, log_key: LogKey | None = None, vault: Vault | None = None
    ) -> None:
        self._database = database
        self._vault = vault or Vault()
        self._library = Library(database, log_key)
        self._deciders: OrderedDict[str, Decider] = OrderedDict()
        self._lock = Lock()

    def replay(self, decision_id: str) -> Replay:
        """One decision again. Raises NotFound (no such decision), EngineError, RecordsError."""
        with self._database.read() as connection:
            recorded = decisions.find(connection, decision_id)
        return self._again(recorded)

    def replay_all(self) -> Iterator[Replay]:
        """Every decision again, first to last; one that fails does not withhold the others.

        Raises RecordsError (``database_unavailable``).
        """
        after: int | None = None
        while True:
            with self._database.read() as connection:
                page = decisions.search(connection, after_seq=after, limit=PAGE)
            for recorded in page:
                try:
                    yield self._again(recorded)
                except (EngineError, RecordsError) as error:
                    if error.code == "database_unavailable":
                        raise
                    yield Replay(recorded.id, problems=error.problems)
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def close(self) -> None:
        with self._lock:
            for decider in self._deciders.values():
                decider.close()
            self._deciders.clear()

    def _again(self, recorded: Recorded) -> Replay:
        try:
            recorded = self._opened(recorded)
            case, then = _asked(recorded), _body(recorded)
            now = self._decided(recorded, case, full=SOURCES in then)
        except (FactsError, MalformedInput, NotFound, Shredded, Unreadable) as error:
            return Replay(recorded.id, problems=error.problems)
        return self._compared(recorded, then, json.loads(json.dumps(now)))

    def _opened(self, recorded: Recorded) -> Recorded:
        if not is_sealed(recorded):
            return recorded
        with self._database.read() as connection:
            return self._vault.reader(connection).decision(recorded)

    def _decided(self, recorded: Recorded, case: Any, full: bool) -> Data:
        with self._lock:
            return self._decider(recorded.digest).decide(
                case,
                today=recorded.as_of,
                as_of=recorded.as_of,
                profile=recorded.profile,
                engine=recorded.engine,
                full=full,
            )

    def _compared(self, recorded: Recorded, then: Data, now: Data) -> Replay:
        notes = [note] if (note := self._library.note(recorded.digest)) else []
        rendered = then.get(RENDERER)
        texts = rendered == now[RENDERER]
        if not texts and isinstance(rendered, str):
            notes.append(_rendered(rendered, now[RENDERER]))
            then = then | {RENDERER: now[RENDERER]}
        found = list(differences(_bare(then), _bare(now), texts))
        return Replay(
            recorded.id,
            tuple(found[:MOST_DIFFERENCES]),
            max(len(found) - MOST_DIFFERENCES, 0),
            notes=tuple(notes),
        )

    def _decider(self, digest: str) -> Decider:
        if digest not in self._deciders:
            self._deciders[digest] = Decider(self._library.get(digest))
        self._deciders.move_to_end(digest)
        while len(self._deciders) > CACHED:
            self._deciders.popitem(last=False)[1].close()
        return self._deciders[digest]


def differences(then: Any, now: Any, texts: bool, path: str = "") -> Iterator[Difference]:
    """Where two JSON values differ, by path (``rules[0].verdict``); ``texts``: in those too."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*then, *now)):
            inside = f"{path}.{key}" if path else key
            a, b = then.get(key, _ABSENT), now.get(key, _ABSENT)
            if texts or not (key in _TEXTS and isinstance(a, str) and isinstance(b, str)):
                yield from differences(a, b, texts, inside)
    elif isinstance(then, list) and isinstance(now, list):
        for i in range(max(len(then), len(now))):
            a = then[i] if i < len(then) else _ABSENT
            b = now[i] if i < len(now) else _ABSENT
            yield from differences(a, b, texts, f"{path}[{i}]")
    elif type(then) is not type(now) or then != now:  # 1, 1.0 and true are equal, but not the same
        yield Difference(path, _told(then), _told(now))


def _told(value: Any) -> Any:
    return None if value is _ABSENT else value


def _bare(body: Data) -> Data:
    return {key: value for key, value in body.items() if key not in STAMPS}


def _asked(recorded: Recorded) -> Any:
    """The case on record. Raises :class:`MalformedInput`."""
    request = read_json(recorded.request)
    if not isinstance(request, dict) or "case" not in request:
        raise MalformedInput(_UNREADABLE)
    return request["case"]


def _body(recorded: Recorded) -> Data:
    """The answer on record. Raises :class:`MalformedInput`."""
    try:
        body = json.loads(recorded.body)
    except ValueError as error:
        raise MalformedInput(_UNREADABLE) from error
    if not isinstance(body, dict):
        raise MalformedInput(_UNREADABLE)
    return body


def _rendered(then: str, now: str) -> Problem:
    return Problem(
        "renderer_changed",
        Text(
            f"文字当时由第 {then} 版生成，现为第 {now} 版；文字不作比较",
            f"its texts were rendered by version {then}, now it is {now}; they are not compared",
        ),
        RENDERER,
    )


_UNREADABLE = Problem(
    "record_unreadable",
    Text("记录的请求或决定不能读取", "the request or the answer on record cannot be read"),
)
