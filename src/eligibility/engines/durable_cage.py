"""The cage around the C module of ``durable_rules``: one ruleset, one fact, no leftovers.

The library has memory errors and answers some of its own failures with "nothing
matched". So nothing but generated names and the token 1 goes in, only names of fired
rules come out, and every ruleset ends with a rule that always fires: an answer counts
only if that rule was reached. After any doubt the ruleset is thrown away and rebuilt.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from itertools import product
from string import ascii_lowercase
from typing import Protocol, cast

from eligibility.engines.durable_rulesets import Condition, Shard
from eligibility.errors import EngineError, Problem, Text

MARKER = "0"
SESSION, FACT = "s", "f"
HEAD = f'{{"sid":"{SESSION}","id":"{FACT}","{MARKER}":1'
_RETRACT = f'{{"sid":"{SESSION}","id":"{FACT}"}}'
_BATCH = 1024

# Names with a meaning of their own; the engine knows them by their hash only.
RESERVED = (
    *("id", "sid", "name", "all", "any", "pri", "count", "cap", "dist", MARKER),
    *("$s", "$i", "$m", "$l", "$r", "$lt", "$lte", "$gt", "$gte", "$eq", "$neq", "$mt", "$imt"),
    *("$iall", "$iany", "$ex", "$nex", "$or", "$and", "$add", "$sub", "$mul", "$div"),
    *("$forward", "$time", "$pulse", "$timerName", "$baseTime"),
)


class Library(Protocol):
    """The part of ``durable_rules_engine`` that is used."""

    def create_ruleset(self, name: str, rules: str, /) -> int: ...
    def delete_ruleset(self, handle: int, /) -> None: ...
    def assert_fact(self, handle: int, fact: str, /) -> tuple[int, int]: ...
    def retract_fact(self, handle: int, fact: str, /) -> tuple[int, int]: ...
    def start_action_for_state(self, handle: int, state: int, /) -> tuple[str, str] | None: ...
    def complete_and_start_action(self, handle: int, state: int, /) -> str | None: ...
    def get_facts(self, handle: int, session: str, /) -> str: ...
    def delete_state(self, handle: int, session: str, /) -> None: ...


def load() -> Library:
    """The C module, or an error with code ``engine_unavailable``."""
    try:
        return cast(Library, importlib.import_module("durable_rules_engine"))
    except ImportError as error:
        zh = "此环境无法载入 durable_rules，请改用 native 引擎"
        en = "durable_rules cannot be imported here: use the native engine"
        raise EngineError(Problem("engine_unavailable", Text(zh, f"{en} ({error})"))) from error


def failed(what: str) -> EngineError:
    """A failed decision; never to be read as "no rule matched"."""
    return EngineError(
        Problem(
            "engine_failed",
            Text(f"推理引擎出错，本次不作结论（{what}）", f"the rules engine failed: {what}"),
        )
    )


def fnv(name: str) -> int:
    """The 32-bit hash by which the engine tells names apart (FNV-1a)."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def check_names(names: Iterable[str]) -> None:
    """Refuses names that the engine would take for each other or for its own."""
    seen = {fnv(name): name for name in RESERVED}
    for name in names:
        other = seen.setdefault(fnv(name), name)
        if other != name or name in RESERVED:
            raise failed(f"the names {name!r} and {other!r} have the same hash")


def token_names(count: int) -> list[str]:
    """Short names, checked: a record is mostly names and the engine copies it per firing."""
    names: list[str] = []
    length = 1
    while len(names) < count:
        names += ("".join(letters) for letters in product(ascii_lowercase, repeat=length))
        length += 1
    names = [name for name in names if name not in RESERVED][:count]
    check_names(names)
    return names


def source(shard: Shard, names: Mapping[int, str]) -> str:
    """The ruleset as JSON. The last rule always fires and says that all was read."""
    rules = [
        f'"{i:03x}":{{"cap":{_BATCH},"all":[{{"m":{_condition(rule.condition, names)}}}]}}'
        for i, rule in enumerate(shard.rules)
    ]
    rules.append(f'"{len(rules):03x}":{{"all":[{{"m":{{"{MARKER}":1}}}}]}}')
    return "{" + ",".join(rules) + "}"


def _condition(condition: Condition, names: Mapping[int, str]) -> str:
    parts = (condition,) if isinstance(condition, int) or not condition.all else condition.parts
    return '{"$and":[' + ",".join([f'{{"{MARKER}":1}}', *(_part(p, names) for p in parts)]) + "]}"


def _part(condition: Condition, names: Mapping[int, str]) -> str:
    if isinstance(condition, int):
        return f'{{"{names[condition]}":1}}'
    inner = ",".join(_part(p, names) for p in condition.parts)
    return f'{{"{"$and" if condition.all else "$or"}":[{inner}]}}'


class Cage:
    """One ruleset behind one handle, used by one thread at a time.

    INVARIANT: between two calls of :meth:`fire` no fact is left in the engine.
    """

    def __init__(self, library: Library, shard: Shard, names: Mapping[int, str]) -> None:
        self._library = library
        self._source = source(shard, names)
        last = f"{len(shard.rules):03x}"
        self._bits = {f"{i:03x}": rule.bits for i, rule in enumerate(shard.rules)} | {last: 0}
        self._handle = 0
        self._primed = False
        self._open()

    def fire(self, record: str, until: int = 0) -> int:
        """The bits of the rules that fire on a record, read in the order of the rules.

        Reading stops at the first rule without a bit below ``until``, a single bit.
        """
        try:
            if not self._handle:
                self._open()
            return self._fire(record, until)
        except BaseException as error:
            self._delete()
            if isinstance(error, EngineError) or not isinstance(error, Exception):
                raise
            raise failed(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._delete()

    def _fire(self, record: str, until: int) -> int:
        library, handle, bits = self._library, self._handle, self._bits
        proceed = library.complete_and_start_action
        fired = 0
        try:
            code, state = library.assert_fact(handle, record)
            if code:
                raise failed(f"assert_fact answered {code}")
            action = library.start_action_for_state(handle, state)
            text = action[1] if action else None
            # A fired rule reads {"01f":[{"m":…; the names have three digits.
            while text is not None and (new := bits[text[2:5]]):
                fired |= new
                if until and not new & (until - 1):
                    break
                text = proceed(handle, state)
            if text is None:
                raise failed("the last rule did not fire")
        finally:
            library.retract_fact(handle, _RETRACT)
        # Retracting has withdrawn what was not read; this ends the rule read last.
        if proceed(handle, state) is not None:
            raise failed("a rule fired after its fact was retracted")
        if library.get_facts(handle, SESSION) != "[]":
            raise failed("a fact was left in the engine")
        return fired

    def _open(self) -> None:
        """Creates the ruleset and fires it once: before that its state must not be freed."""
        self._handle = self._library.create_ruleset("r", self._source)
        try:
            if self._fire(HEAD + "}", 0):
                raise failed("a rule fired on an empty record")
        except BaseException:
            self._delete()
            raise
        self._primed = True

    def _delete(self) -> None:
        """Frees the ruleset; its state first, which the library forgets to do."""
        handle, primed = self._handle, self._primed
        self._handle, self._primed = 0, False
        if handle:
            try:
                if primed:
                    self._library.delete_state(handle, SESSION)
            finally:
                self._library.delete_ruleset(handle)
