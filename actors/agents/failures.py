"""How an agent's code failed: which error, in which file, line and function, and the way there.

Whoever wrote the agent is told all of it. The error's own words may quote what the caller said: they stand apart, in
`pii_message`, and go into a journal or into a log's `pii_` fields, never into a message. Files of a bundle are named
from the bundle's folder on, others by their last two parts, so that nothing tells where an installation keeps them.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from offhook.policies.gate.entry import A_LIST

log = logging.getLogger(__name__)

MESSAGE_CHARS_MAX = 500  # of an error's own words, which may be anything
FRAMES_MAX = 12  # the innermost: where it failed matters more than where it came from
LINE_CHARS_MAX = 160


class NotProposals(TypeError):
    """An agent's method `propose` has returned something else than a list of proposals."""

    def __init__(self, returned: object, propose: Callable[..., Any]) -> None:
        super().__init__(A_LIST)
        self.returned = type(returned).__name__
        self.propose = propose


class Escaped(Exception):
    """Code has raised what would end more than itself: a process (SystemExit), a wait (StopIteration), a task
    (CancelledError). `error` is what it has raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(words_of(error))
        self.error = error


def contained(error: BaseException) -> Exception:
    """What may be raised in its place wherever the code is asked: itself where it is a plain error, else `Escaped`."""
    plain = isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration))
    return error if plain else Escaped(error)  # type: ignore[return-value]


def guarded(code: Callable[..., Any], *arguments: Any) -> Any:
    """What the code returns. Raises: what it raises, `contained`."""
    try:
        return code(*arguments)
    except BaseException as error:
        raise contained(error) from None


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure. `where` is "agents/guide.py:21 in propose", empty where the agent's code is not on the way."""

    kind: str  # the error's class
    where: str
    trace: tuple[str, ...]  # one line a call, outermost first: "agents/guide.py:21 in propose: time = view['tme']"
    pii_message: str

    @property
    def places(self) -> list[str]:
        """The way there without the text of the code."""
        return [step.partition(": ")[0] for step in self.trace]

    @property
    def reason(self) -> str:
        """The error and its place in one line, without its own words."""
        return f"{self.kind} at {self.where}" if self.where else self.kind

    def told(self) -> str:
        """All of it on several lines, with the error's own words: for who wrote the agent, never for a log."""
        words = f"{self.kind}: {self.pii_message}" if self.pii_message else self.kind
        return "\n".join((f"{words}{f' at {self.where}' if self.where else ''}", *(f"    {one}" for one in self.trace)))


def failure_of(error: BaseException, bundle: str = "") -> Failure:
    """What an error tells; `bundle` is the folder of the bundle that the agent is from, "" = of none."""
    if isinstance(error, NotProposals):
        where = f"{place_of(error.propose, bundle)}, which returned {error.returned}"
        return Failure("TypeError", where, (), words_of(error))
    if isinstance(error, Escaped):
        error = error.error
    own = [step for step in traceback.extract_tb(error.__traceback__) if not _is_ours(step.filename)]
    named = [_place(step, bundle) for step in own]
    lines = tuple(
        f"{place}: {step.line}"[:LINE_CHARS_MAX] if step.line else place for place, step in zip(named, own, strict=True)
    )
    return Failure(type(error).__name__, named[-1] if named else "", lines[-FRAMES_MAX:], words_of(error))


def log_failure(call: str, agent: str, failure: Failure) -> None:
    """The place and the way there; the error's own words may be the caller's, and go into a field."""
    where = {"call": call, "agent": agent, "pii_error": failure.pii_message}
    way = "".join(f"\n    {place}" for place in failure.places)
    log.warning("agent %s failed: %s%s", agent, failure.reason, way, extra=where)


def log_unread(call: str, agent: str, read: object) -> None:
    """A reader gave something that is no reading; what it is may quote the caller, and goes into a field."""
    where = {"call": call, "agent": agent, "pii_error": words_of(read)}
    log.warning("agent %s read an answer as %s, which is no reading", agent, type(read).__name__, extra=where)


def words_of(error: object) -> str:
    """An error's own words, cut; empty where it fails even at that."""
    try:
        return str(error)[:MESSAGE_CHARS_MAX]
    except BaseException:  # an agent's own error may fail at that, too
        return ""


def place_of(code: Callable[..., Any], bundle: str = "") -> str:
    """Where a function is defined: "agents/guide.py:21 in propose"; its name alone where nobody knows."""
    found = getattr(inspect.unwrap(code), "__code__", None)
    if found is None:
        return getattr(code, "__name__", "propose")
    return _place(traceback.FrameSummary(found.co_filename, found.co_firstlineno, found.co_name), bundle)


def way_of(frame: FrameType, bundle: str = "") -> str:
    """Where code is that runs now: the innermost place that is not offhook's asking or the interpreter's own."""
    own = [step for step in traceback.extract_stack(frame) if not _is_ours(step.filename)]
    inside = [step for step in own if bundle and Path(step.filename).is_relative_to(Path(bundle).resolve())]
    return _place((inside or own)[-1], bundle) if own else ""


def _place(step: traceback.FrameSummary, bundle: str) -> str:
    path = Path(step.filename)
    if bundle and path.is_relative_to(Path(bundle).resolve()):
        named = str(path.relative_to(Path(bundle).resolve()))
    else:
        named = "/".join(path.parts[-2:])
    return f"{named}:{step.lineno} in {step.name}"


def _is_ours(file: str) -> bool:
    """Whether a step on the way is offhook's own asking, or the interpreter's: nobody looks for a fault there."""
    return file.endswith(_ASKING)


# Files that call agents, on the way to each failure.
_ASKING = (
    "actors/agents/agent_host.py",
    "actors/agents/answers.py",
    "actors/agents/failures.py",
    "actors/agents/plain.py",
    "actors/agents/thinking.py",
    "asyncio/base_events.py",
    "actors/shadows/rehearsal.py",
    "actors/shadows/trial.py",
    "policies/simulation/world.py",
    "policies/testing/dialogue.py",
    "concurrent/futures/thread.py",
)
