"""The workload of `task_queue.py`: what callers do, when, and how it is judged. The same for both sides.

A caller asks for note after note ("please note number 17"), talking over the agent's answer to the one before. Half of
the time the caller takes it back ("no, forget it") at a moment drawn around the one at which the agent would act: just
before, or just after. The stream is played in real time whatever the side does (open loop); a side gets events and
gives back acts and holds. Pure of both sides: the standard library and the core alone.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.proposals import Kind, Proposal

TURN_MS = 3_000  # from note to note
SPEAK_MS = 700
HANGOVER_MS = 160  # of the ears: speech is reported as over so long after it was
PATIENCE_MS = 400  # fixed, so that the moment at which the agent should act is known
AROUND_MS = 150  # the caller takes it back at most so long before or after that moment
MEASURED_EVERY_MS = 100  # as the ears do
# Longer than a turn, so that the agent is always talking when the next one begins.
ANSWER = "Noted, and while you are here let me also tell you what we have on the list for today and for tomorrow."
LEFT_OUT = "All right, I leave it out, and " + ANSWER.partition("and ")[2]

POLICY: dict[str, Any] = {
    "name": "clerk",
    "agents": {"clerk": {"code": "agents/clerk.py:Clerk", "calls_per_actor": 50}},
    "endpointing": {
        "base_ms": dict.fromkeys(("opening", "qualifying", "offering", "objecting", "booking", "closing"), PATIENCE_MS),
        "semantic": False,
        "step_share": 0.0,
    },
    "arbitration": {"deadline_ms": 5_000, "fallback_line": ""},
    "gate": {"repeats_max": 100},
    "silence": {"hesitating_after_ms": 30_000, "absent_after_ms": 60_000, "rung_gap_ms": 60_000},
    "concerns": {"answers_max": 20},
}


class Clerk:
    """Notes the number that the caller's turn names, unless the same turn takes it back."""

    topics = ()

    def __init__(self, name: str, _spec: Any) -> None:
        self.name = name

    def propose(self, view: dict[str, Any], reason: str) -> list[Proposal]:
        words = view["pii_words"].lower().split()
        numbers = [word for word in words if word.isdigit()]
        if reason not in ("turn_ended", "interrupted") or not words:
            return []
        stamp = ("", self.name), (view["turn"], view["revision"])
        if not numbers or "forget" in words[words.index(numbers[-1]) :]:
            return [Proposal(*stamp[0], Kind.SAY, *stamp[1], text=LEFT_OUT)]
        return [Proposal(*stamp[0], Kind.TOOL, *stamp[1], text=ANSWER, action=f"note.{numbers[-1]}")]


@dataclass(slots=True)
class Turn:
    """One note: when it is due, when it was taken back, when it was acted on (seconds of the clock; 0 = never)."""

    due_at: float = 0.0
    taken_back_at: float = 0.0
    acted_at: float = 0.0


@dataclass(slots=True)
class Call:
    """One caller. `zero` is the moment of `clock` at which the call's own clock stood at 0."""

    number: int
    clock: Callable[[], float] = time.perf_counter
    zero: float = 0.0
    turns: dict[int, Turn] = field(default_factory=dict)
    onset_at: float = 0.0  # of an interruption that the agent has not yielded to
    holds_ms: list[float] = field(default_factory=list)

    def now_ms(self) -> int:
        return int((self.clock() - self.zero) * 1_000)

    def acted(self, action: str) -> None:
        """The side carries an action out, now."""
        turn = self.turns.get(int(action.partition(".")[2]))
        if turn is not None and not turn.acted_at:
            turn.acted_at = self.clock()

    def held(self) -> None:
        """The side silences the agent, now."""
        if self.onset_at:
            self.holds_ms.append((self.clock() - self.onset_at) * 1_000)
            self.onset_at = 0.0


Send = Callable[[Call, ev.Event], None]


class Play:
    """All callers of one run. `send` gives an event to the side and must not wait.

    `plan` is what is still to happen: a heap of (second, order, call, what makes the event then).
    """

    def __init__(
        self, calls: int, seconds: float, seed: int, send: Send, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.calls = [Call(number, clock) for number in range(calls)]
        self._clock = clock
        self.late_ms: list[float] = []
        self._send = send
        order = 0
        self.plan: list[tuple[float, int, Call, Callable[[Call], ev.Event]]] = []
        for call in self.calls:
            chance = random.Random(f"{seed}:{call.number}")
            start_s = TURN_MS / 1_000 * call.number / calls
            for number in range(int(seconds * 1_000 / TURN_MS)):
                for at_ms, make in _turn(number, chance):
                    order += 1
                    heapq.heappush(self.plan, (start_s + at_ms / 1_000, order, call, make))
                start_s += TURN_MS / 1_000

    async def run(self) -> None:
        """Play it in real time."""
        began = self._clock()
        plan = self.plan
        while plan:
            due_s, _, call, make = heapq.heappop(plan)
            wait_s = began + due_s - self._clock()
            if wait_s > 0 or len(plan) % 20 == 0:  # also when late: the side's answers are to be taken
                await asyncio.sleep(max(0.0, wait_s))
            self.late_ms.append(max(0.0, self._clock() - began - due_s) * 1_000)
            self._send(call, make(call))

    def result(self) -> dict[str, Any]:
        """What came of it."""
        turns = [turn for call in self.calls for turn in call.turns.values()]
        wanted = [turn for turn in turns if not 0 < turn.taken_back_at <= turn.due_at]
        acted = [turn for turn in turns if turn.acted_at]
        mistimed = [turn for turn in acted if 0 < turn.taken_back_at < turn.acted_at]
        right = [turn for turn in acted if not 0 < turn.taken_back_at < turn.acted_at]
        return {
            "calls": len(self.calls),
            "act_ms": _spread([(turn.acted_at - turn.due_at) * 1_000 for turn in acted]),
            "hold_ms": _spread([ms for call in self.calls for ms in call.holds_ms]),
            "acted": len(acted),
            "mistimed": len(mistimed),
            "mistimed_of_100": round(100 * len(mistimed) / max(1, len(acted)), 1),
            "due": len(wanted),
            "done_in_time": sum(turn in right for turn in wanted),
            "holds": sum(len(call.holds_ms) for call in self.calls),
            "played_late_ms_p99": _spread(self.late_ms)["99"],
        }


def _turn(number: int, chance: random.Random) -> Iterator[tuple[float, Callable[[Call], ev.Event]]]:
    """One note, and perhaps its withdrawal: (ms of the turn, the event to make then)."""
    text = f"please note number {number}"
    voiced_until = SPEAK_MS - HANGOVER_MS
    yield 0, _started(number)
    for at_ms in range(MEASURED_EVERY_MS, SPEAK_MS, MEASURED_EVERY_MS):
        yield at_ms, _measured(at_ms)
    yield 300, _words(2 * number, "please note", 300, final=False)
    yield 560, _words(2 * number, text, 540, final=False)
    yield SPEAK_MS, _ended(number, SPEAK_MS, counts=True)
    yield SPEAK_MS + 50, _words(2 * number, text, voiced_until, final=True, ended_ago_ms=50 + HANGOVER_MS)
    if chance.random() < 0.5:
        at_ms = voiced_until + PATIENCE_MS + chance.uniform(-AROUND_MS, AROUND_MS)
        yield at_ms, _started(number, takes_back=True)
        yield at_ms + 200, _measured(200)
        yield at_ms + 400, _words(2 * number + 1, "no forget it", 360, final=False)
        yield at_ms + 500, _ended(number, 500, counts=False)
        yield at_ms + 560, _words(2 * number + 1, "no forget it", 340, final=True, ended_ago_ms=220)


def _started(number: int, takes_back: bool = False) -> Callable[[Call], ev.Event]:
    def make(call: Call) -> ev.Event:
        now_ms = call.now_ms()
        turn = call.turns.setdefault(number, Turn())
        if takes_back:
            turn.taken_back_at = call.clock()
        call.onset_at = call.clock()
        return ev.SpeechStarted(now_ms, max(0, now_ms - 40), -20.0, 25.0, 120.0)

    return make


def _measured(voiced_ms: int) -> Callable[[Call], ev.Event]:
    def make(call: Call) -> ev.Event:
        now_ms = call.now_ms()
        return ev.SpeechMeasured(now_ms, max(0, now_ms - voiced_ms - 40), voiced_ms, -20.0, 25.0, 120.0)

    return make


def _ended(number: int, lasted_ms: int, *, counts: bool) -> Callable[[Call], ev.Event]:
    def make(call: Call) -> ev.Event:
        now_ms = call.now_ms()
        ended_ms = now_ms - HANGOVER_MS
        if counts:
            call.turns[number].due_at = call.zero + (ended_ms + PATIENCE_MS) / 1_000
        return ev.SpeechEnded(now_ms, max(0, now_ms - lasted_ms - 40), ended_ms, lasted_ms - HANGOVER_MS, -20.0, 120.0)

    return make


def _words(
    segment: int, text: str, spoken_ms: int, *, final: bool, ended_ago_ms: int = 20
) -> Callable[[Call], ev.Event]:
    def make(call: Call) -> ev.Event:
        now_ms = call.now_ms()
        ended_ms = now_ms - ended_ago_ms
        return ev.WordsHeard(now_ms, segment, text, final, max(0, ended_ms - spoken_ms), ended_ms)

    return make


def _spread(values: list[float]) -> dict[str, float | None]:
    values.sort()
    return {str(p): round(values[int(p / 100 * (len(values) - 1))], 2) if values else None for p in (50, 95, 99)}
