"""What every agent is: a reader of views that answers with proposals. How to write one: `examples/agents/README.md`.

An agent gets the view of one revision (`core/view.py`) and says what it would say or do; whether that happens is
decided by arbitration and the gate. The least that it has is

    propose(self, view, reason) -> [Proposal, ...]         plain; in a thread, one thing at a time
    async def propose(self, view, reason)                  returns such a list, on the event loop of its host
    async def propose(self, view, reason): yield Proposal  an answer in parts: each goes to the call at once

An asynchronous one is cancelled when the turn moves. Four more methods are optional, a protocol each: `Reader` (what
the caller's answer says), `Subscriber` (told of what happens), `Predecessor` and `Successor` (what is handed on when
another policy version takes over). An agent has them by having the method; nothing is inherited or registered.

An agent should keep nothing between two calls of `propose`, so that it may run in any process, be restarted at any time
and serve many calls. What an agent of one's own needs is here; the stock ones, which are plain, stand beside it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, cast

from ..core.commands import RoundReason as RoundReason
from ..core.errors import PolicyError
from ..core.policy import AgentSpec
from ..core.proposals import Asks, Kind, Proposal, Purpose, Reading
from ..core.view import View as View
from ..core.view import ViewAct as ViewAct
from ..core.view import ViewConcern
from ..language.lines.lines import DEFAULT, lines_of, section
from ..language.port import registry

# What `propose` may return: all at once, when it has awaited something, or one after another.
Proposals = list[Proposal] | Awaitable[list[Proposal]] | AsyncIterator[Proposal]

_CODE = re.compile(r"^(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)$")
UNDO = "undo"  # the slot of the question whether an act that is done shall be undone
# "{time}" = what the caller said for it, or the act's own argument; "{price: forty nine dollars}" = these words.
_PLACEHOLDER = re.compile(r"\{(\w+)(?::\s*([^{}]*?)\s*)?\}")


class Agent:
    """Base of all agents. Subclasses override `propose`, and give a default for every line that they use in LINES.

    What the stock agents say by default stands with each language (`language/*/lines.py`), under SECTION.
    """

    topics: ClassVar[tuple[str, ...]] = ()  # notices that it wants to hear of (see `Subscriber`)
    LINES: ClassVar[Mapping[str, str]] = {}
    SECTION: ClassVar[str] = ""

    def __init__(self, name: str, spec: AgentSpec) -> None:
        self.name = name
        self.options: dict[str, str | int | float | bool] = dict(spec.options)
        self._lines = {**self.LINES, **spec.lines}
        self.prompts: dict[str, str] = dict(spec.prompts)

    def propose(self, view: View, reason: str) -> Proposals:
        """What this agent would say or do at this revision, in any order; empty = nothing.

        Returned together, one of them is said at most, the best; yielded one after another, each is said after the one
        before it. `reason` is why it was asked: a `RoundReason`, or the name of a timer that an agent asked for.
        """
        raise NotImplementedError

    # --- making proposals -------------------------------------------------------------------------------------------

    def has_line(self, key: str) -> bool:
        """True where the policy (or the agent itself) has a text under this key."""
        return bool(self._lines.get(key) or lines_of(DEFAULT).get(f"{self.SECTION}.{key}"))

    def line(self, key: str, view: View, act: ViewAct | None = None) -> str:
        """A text of the policy, with `{slot}` replaced by what the caller said for it, or by the act's own argument.

        Raises:
            PolicyError: there is no such text.
        """
        return self._filled(key, view, act)[0]

    def _filled(
        self, key: str, view: View, act: ViewAct | None, values: Mapping[str, str] | None = None
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """A text, and the terms in it: the words that have to be heard for it to be told."""
        language = lines_of(view.get("language", DEFAULT))
        text = self._lines.get(key) or language.get(f"{self.SECTION}.{key}")
        if not text:
            there_are = ", ".join({**section(DEFAULT, self.SECTION), **self._lines})
            raise PolicyError(f"agents.{self.name}.lines: '{key}' is missing; there are: {there_are}")
        terms: dict[str, str] = {}

        def fill(found: re.Match[str]) -> str:
            name, words = found[1], found[2]
            said = str(act["arguments"].get(name, "")) if act is not None else slot_value(view, name)
            value = words or (values or {}).get(name, "") or said
            if value:
                terms[name] = value
            return value or language["agent.unknown_value"]

        return _PLACEHOLDER.sub(fill, text), tuple(terms.items())

    def say(
        self,
        view: View,
        line: str,
        purpose: Purpose,
        asks: Asks = Asks.NOTHING,
        *,
        priority: float = 0.5,
        topic: str = "",
        slot: str = "",
        reason: str = "",
        act: ViewAct | None = None,
        consents: str = "",
        values: Mapping[str, str] | None = None,
    ) -> Proposal:
        """Say one of the policy's lines; `act` = one of `view["acts"]`, whose outcome and arguments the line tells;
        `consents` = the tool for which a CONFIRMATION asks the caller's yes; `values` = words for placeholders of the
        line that the agent has found out itself."""
        text, terms = self._filled(line, view, act, values)
        return self._proposal(
            view,
            Kind.SAY,
            label=line,
            text=text,
            terms=terms,
            action=consents,
            about=f"{act['grant']}:{outcome(act)}" if act is not None else "",
            purpose=purpose,
            asks=asks,
            priority=priority,
            topic=topic,
            slot=slot,
            reason=reason,
        )

    def act(
        self, view: View, tool: str, arguments: Mapping[str, str], *, line: str = "", priority: float, reason: str
    ) -> Proposal:
        """Have a tool act, saying a line on the way where one is named (before it, where it cannot be undone)."""
        text, terms = self._filled(line, view, None) if line else ("", ())
        return self._proposal(
            view,
            Kind.TOOL,
            label=tool,
            action=tool,
            arguments=tuple(sorted(arguments.items())),
            text=text,
            terms=terms,
            priority=priority,
            reason=reason,
        )

    def end(
        self, view: View, ending: str, line: str, *, priority: float, reason: str, act: ViewAct | None = None
    ) -> Proposal:
        """Say goodbye with a line, and hang up when it was heard; `ending` = the call's outcome, `act` as in `say`."""
        text, terms = self._filled(line, view, act)
        return self._proposal(
            view,
            Kind.HANGUP,
            label=ending,
            action=ending,
            text=text,
            terms=terms,
            about=f"{act['grant']}:{outcome(act)}" if act is not None else "",
            purpose=Purpose.GOODBYE,
            priority=priority,
            reason=reason,
        )

    def _proposal(self, view: View, kind: Kind, *, label: str, **fields: Any) -> Proposal:
        revision: int = view["revision"]
        return Proposal(
            id=f"{self.name}:{revision}:{label}",
            agent=self.name,
            kind=kind,
            turn=view["turn"],
            basis=revision,
            **fields,
        )


def fixed(line: str) -> str:
    """A line as every call says it, without the marks around fixed words; empty = it holds what a caller said."""
    return "" if any(not found[2] for found in _PLACEHOLDER.finditer(line)) else _PLACEHOLDER.sub(r"\2", line)


def load(code: str) -> type[Agent]:
    """The agent class of an installed module, written `module:Class`, e.g. "offhook.policies.agents.booking:Booking".

    Code inside a bundle ("agents/file.py:Class") is loaded by whoever unpacked the bundle, not here.

    Raises:
        PolicyError: not of that form, no such module or class, or not an Agent.
    """
    found = _CODE.match(code)
    if found is None:
        raise PolicyError(f"code {code!r}: write module:Class, e.g. offhook.policies.agents.booking:Booking")
    try:
        kind = getattr(importlib.import_module(found["module"]), found["name"], None)
    except ImportError as error:
        raise PolicyError(f"code {code!r}: module {found['module']} cannot be imported: {error}") from error
    if not isinstance(kind, type) or not issubclass(kind, Agent):
        raise PolicyError(f"code {code!r}: {found['name']} is not a subclass of offhook.policies.agents.base.Agent")
    return kind


# --- optional methods -----------------------------------------------------------------------------------------------


class Reader(Protocol):
    """An agent that reads what the caller answered, where the policy names it in `gate.readers`."""

    def read(self, view: View) -> Reading | Awaitable[Reading | None] | None:
        """What the caller's answer in this turn says; None = no word on it. Asked before `propose`, where the round's
        reason is TURN_ENDED or INTERRUPTED. What it raises costs the reading alone."""
        ...


class Subscriber(Protocol):
    """An agent that is told of what happens in its call."""

    topics: Sequence[str]  # of the notices that it wants; "*" = of all

    def notice(self, seq: int, revision: int, turn: int, topic: str, body: dict[str, Any]) -> Awaitable[None] | None:
        """Something happened: notice `seq` of the call, at this revision and turn. `body` is plain; its keys `pii_*`
        hold what people said. To be noted, not thought over: within 1 s. `propose` may be asked meanwhile."""
        ...


class Predecessor(Protocol):
    """An agent that hands on what it knows of a call when an agent of another policy version takes its place."""

    def remember(self) -> dict[str, Any]:
        """What its successor is given: plain values, 64 KiB at most, within 200 ms. Asked in a thread of its own."""
        ...


class Successor(Protocol):
    """An agent that takes over what one of another policy version has remembered."""

    def upgrade(self, memory: dict[str, Any]) -> None:
        """What `remember` of the former version's agent gave, before anything else is asked of this one, within 200 ms.
        Not called where there is none. One that raises is made anew, without the memory."""
        ...


def reader(agent: object) -> Reader | None:
    """The agent as a reader, if it is one."""
    return cast(Reader, agent) if _has(agent, "read") else None


def subscriber(agent: object) -> Subscriber | None:
    """The agent as one that is told of things, if it is."""
    return cast(Subscriber, agent) if _has(agent, "notice") else None


def predecessor(agent: object) -> Predecessor | None:
    """The agent as one that hands its memory on, if it does."""
    return cast(Predecessor, agent) if _has(agent, "remember") else None


def successor(agent: object) -> Successor | None:
    """The agent as one that takes a memory over, if it does."""
    return cast(Successor, agent) if _has(agent, "upgrade") else None


def _has(agent: object, method: str) -> bool:
    return getattr(agent, method, None) is not None


# --- reading views --------------------------------------------------------------------------------------------------


def heard(view: View, *signs: str) -> bool:
    """The caller has given one of these signs since the agent last spoke."""
    return any(signal["new"] and signal["sign"] in signs for signal in view["signals"])


def wordless(view: View, reason: str) -> bool:
    """The caller interrupted, and nothing was understood of it although somebody listens."""
    return reason == RoundReason.INTERRUPTED and not view["pii_words"] and "recognizer" not in view["lost_parts"]


def topic_of(view: View, sign: str) -> str:
    """The topic of the newest such sign since the agent last spoke; empty = none, or without a topic."""
    topics = [s["topic"] for s in view["signals"] if s["new"] and s["sign"] == sign and s["topic"]]
    return topics[-1] if topics else ""


def ever(view: View, sign: str, unless: str = "") -> bool:
    """The caller's newest word of these two is `sign`: a commitment that was not taken back."""
    found = [s["sign"] for s in view["signals"] if s["stands"] and s["sign"] in (sign, unless)]
    return bool(found) and found[-1] == sign


def times(view: View, name: str) -> int:
    """How often something was granted: "say:offer", "say:question:time", "book_meeting"."""
    return int(view["done"].get(name, 0))


def last_act(view: View, tool: str) -> ViewAct | None:
    """The last finished act of this tool, if any."""
    return next((act for act in reversed(view["acts"]) if act["action"] == tool), None)


def undone(view: View, act: ViewAct) -> ViewAct | None:
    """The act that was to undo this one, if there was one; whether it did, its `ok` says."""
    undoing = last_act(view, act["undo"]) if act["undo"] else None
    return undoing if undoing is not None and undoing["at_ms"] >= act["at_ms"] else None


def told(view: View, act: ViewAct) -> bool:
    """What came of this act was heard; it is owed until then."""
    return f"result:{act['grant']}" not in view["owed"]


def takes_back(view: View, act: ViewAct) -> bool:
    """What the caller says now takes this act back, which is done: by its words, or by naming other values."""
    arguments = act["arguments"]
    if not act["ok"] or not act["undo"] or (said := str(view["pii_words"])) == "":
        return False
    if registry.named(str(view["language"])).takes_back(said, tuple(arguments.items())):
        return True
    changed = any(slot_value(view, name) not in ("", value) for name, value in arguments.items())
    return changed and heard(view, "detail", "denial")


def outcome(act: ViewAct) -> str:
    """How an act ended: "done", "failed", or "withdrawn" (taken back before it had left)."""
    return "withdrawn" if act["withdrawn"] else "done" if act["ok"] else "failed"


def agreed_now(view: View) -> bool:
    """The caller has just said a clean yes to what was read back: what follows is owed before any goodbye."""
    answer = view["answer"]
    return answer is not None and answer["says"] == "yes" and answer["confirms"] and answer["turn"] == view["turn"]


def unclear(view: View, slot: str) -> bool:
    """The caller's answer to a read-back of this slot was neither a clean yes nor a no."""
    answer = view["answer"]
    return answer is not None and answer["says"] == "unclear" and answer["confirms"] and slot in answer["about"]


def slot_value(view: View, name: str) -> str:
    """What the caller said for this slot, or an empty string."""
    slot = view["slots"].get(name)
    return str(slot["pii_value"]) if slot else ""


def unsettled(view: View) -> list[ViewConcern]:
    """The concerns that still ask for an answer, the one that moved last first."""
    found = [concern for concern in view["concerns"] if concern["due"] != "none"]
    return sorted(found, key=lambda concern: concern["history"][-1][0] if concern["history"] else 0, reverse=True)


def answered_what(view: View) -> tuple[str, str]:
    """Purpose and slot of what the agent last said: what the caller's words answer."""
    last = view["last_utterance"]
    return (last["purpose"], last["slot"]) if last is not None else ("", "")
