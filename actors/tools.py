"""Tools: what carries out authorized actions. Stock tools act on a small book of their own; real ones register here.

An action comes with its idempotency key (the same in every retry and after every takeover). The register writes down
that it begins before it acts, and the result after, in one SQLite file: the same key acts once, whoever asks again,
also after the supervisor's own death. Whether something may be done was decided at the gate; tools do as they are told.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Arguments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. `result` is told to the agents: plain words without secrets."""

    ok: bool
    result: str


class Tool(Protocol):
    """Carries out one kind of action. `key` must make a repetition harmless on the tool's side."""

    def __call__(self, key: str, arguments: Arguments) -> Outcome: ...


def _reference(key: str) -> str:
    """A short reference that follows from the key, so that a repetition yields the same one."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def book_meeting(key: str, arguments: Arguments) -> Outcome:
    """Stock calendar: takes any time that it is given."""
    when = " ".join(arguments[name] for name in ("day", "time", "when", "slot") if arguments.get(name))
    if not when:
        return Outcome(False, "no time was given")
    return Outcome(True, f"booked for {when}, reference {_reference(key)}")


def send_details(key: str, arguments: Arguments) -> Outcome:
    """Stock follow-up: notes that the details are to be sent."""
    target = arguments.get("to") or arguments.get("channel") or "the number that called"
    return Outcome(True, f"details go to {target}, reference {_reference(key)}")


STOCK: dict[str, Tool] = {"book_meeting": book_meeting, "send_details": send_details}


class ToolRegister:
    """Performs actions once per key. Blocking (a disk write on each side of the act): call it off the loop."""

    def __init__(self, path: Path | str = ":memory:", tools: Mapping[str, Tool] | None = None) -> None:
        self._tools = dict(STOCK if tools is None else tools)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS acts (key TEXT PRIMARY KEY, call TEXT, epoch INTEGER, action TEXT,"
            " tries INTEGER, ok INTEGER, result TEXT)"
        )

    def register(self, action: str, tool: Tool) -> None:
        """Have `tool` carry out `action` from now on."""
        self._tools[action] = tool

    def perform(self, call: str, epoch: int, action: str, arguments: Arguments, key: str) -> Outcome:
        """Carry out an action, or tell what came of it where this key has acted already."""
        row = self._db.execute("SELECT ok, result FROM acts WHERE key = ?", (key,)).fetchone()
        if row is not None and row[0] is not None:
            return Outcome(bool(row[0]), row[1])
        newest = self._db.execute("SELECT max(epoch) FROM acts WHERE call = ?", (call,)).fetchone()[0]
        if newest is not None and epoch < newest:
            return Outcome(False, f"call {call} has an owner at epoch {newest}; epoch {epoch} orders nothing any more")
        tool = self._tools.get(action)
        if tool is None:
            return Outcome(False, f"no tool carries out {action!r}; known are {', '.join(sorted(self._tools))}")
        # Begun and not finished = this process died in between: the tool is asked again under the same key.
        self._db.execute(
            "INSERT INTO acts VALUES (?, ?, ?, ?, 1, NULL, '') ON CONFLICT(key) DO UPDATE SET tries = tries + 1,"
            " epoch = excluded.epoch",
            (key, call, epoch, action),
        )
        outcome = _guarded(tool, key, arguments)
        self._db.execute("UPDATE acts SET ok = ?, result = ? WHERE key = ?", (outcome.ok, outcome.result, key))
        return outcome

    def acts(self, call: str) -> list[tuple[str, str, int]]:
        """What was done in a call: (action, key, how often it was tried)."""
        return self._db.execute("SELECT action, key, tries FROM acts WHERE call = ?", (call,)).fetchall()

    def close(self) -> None:
        self._db.close()


def _guarded(tool: Callable[[str, Arguments], Outcome], key: str, arguments: Arguments) -> Outcome:
    try:
        return tool(key, arguments)
    except Exception as error:
        return Outcome(False, f"the tool failed: {type(error).__name__}")
