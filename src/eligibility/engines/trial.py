"""A circuit tried out in a process of its own before the service may use it.

``durable_rules`` answers some rulesets with a crash or an endless loop. A rule base that
does that must fail its check, not the service; so it is compiled and fired once in a
child process, and only how that ended is looked at.
"""

from __future__ import annotations

from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection

from eligibility.circuit.lower import lower
from eligibility.circuit.model import Circuit
from eligibility.errors import EngineError, Problem, Text
from eligibility.rulebase.model import Rulebase

_PASSED = "passed"
_PATIENCE = 5.0


def trial(circuit: Circuit, timeout: float = 60) -> None:
    """Passes or raises an error with code ``engine_trial_failed``.

    The child starts afresh (``spawn``): a fork would copy the locks and the memory of a
    service at work.
    """
    context = get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(circuit, send), daemon=True)
    try:
        child.start()
        # Ours is closed, so that the end of the child is the end of the pipe.
        send.close()
        answer = _answer(receive, timeout)
        if answer is not None:
            child.join(_PATIENCE)
        code = child.exitcode
    finally:
        if child.is_alive():
            child.kill()
            child.join()
        receive.close()
        child.close()
    if answer is None:
        raise _failed(f"{timeout:g} 秒内没有结束", f"it did not end within {timeout:g} s")
    if answer == "":
        raise _failed(f"子进程崩溃，退出码 {code}", f"the process crashed, exit code {code}")
    if answer != _PASSED:
        raise _failed(answer, answer)
    if code != 0:
        raise _failed(f"子进程退出码 {code}", f"the process ended with exit code {code}")


def prove(rulebase: Rulebase, day: date) -> None:
    """Try the circuit of every profile, as the law stands on a day. Raises like :func:`trial`."""
    for profile in rulebase.profiles:
        trial(lower(rulebase, profile, day).circuit)


def _answer(receive: Connection, timeout: float) -> str | None:
    """What the child said; empty if it died without a word, None if it is still silent."""
    if not receive.poll(timeout):
        return None
    try:
        return str(receive.recv())
    except EOFError:
        return ""


def _child(circuit: Circuit, send: Connection) -> None:
    """Builds the engine, which fires every ruleset, and decides with all, none, one unknown."""
    from eligibility.engines.durable import DurableEngine

    try:
        unknown = [one.unknown for one in circuit.inputs]
        with DurableEngine(circuit) as engine:
            engine.evaluate([1] * len(unknown))
            for number, mask in enumerate(unknown):
                engine.evaluate([mask if i == number else 1 for i in range(len(unknown))])
                engine.evaluate([1 if i == number else m for i, m in enumerate(unknown)])
        send.send(_PASSED)
    except Exception as error:
        send.send(f"{type(error).__name__}: {error}")


def _failed(zh: str, en: str) -> EngineError:
    return EngineError(
        Problem(
            "engine_trial_failed",
            Text(
                f"规则库在推理引擎中试运行失败：{zh}",
                f"the rules engine failed on a trial of this rule base: {en}",
            ),
        )
    )
