"""The judge of `benchmarks/task_queue.py`: who acts at once is never mistimed, who acts late is told how late."""

from __future__ import annotations

import heapq
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from offhook.policies.conversation.machine import step
from offhook.policies.conversation.view import view_of
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.policy import Policy
from offhook.policies.core.state import CallState
from virtual_time import VirtualTime

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "peers" / "script.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("task_queue_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Side:
    """The pure core on virtual time; what it orders is carried out `late_ms` later."""

    def __init__(self, script: ModuleType, late_ms: int, seconds: int) -> None:
        self.time = VirtualTime()
        self.late_ms = late_ms
        self.policy = Policy.model_validate(script.POLICY)
        self.clerk = script.Clerk("clerk", None)
        self.state = CallState()
        self.play = script.Play(1, seconds, 1, lambda _call, _event: None, lambda: self.time.ms / 1_000)
        self.call = self.play.calls[0]
        self._said_ms: dict[str, int] = {}
        self.feed(ev.CallCreated(0, "c", "inbound", "", "", "test"))
        self.feed(ev.AgentJoined(0, "clerk"))
        self.feed(ev.LineAnswered(0))
        while self.play.plan:
            due_s, _, call, make = heapq.heappop(self.play.plan)
            self.time.at(100 + due_s * 1_000, lambda call=call, make=make: self.feed(make(call)))
        self.time.run_until((seconds + 2) * 1_000)

    def feed(self, event: ev.Event) -> None:
        decision = step(self.state, event, self.policy)
        self.state = decision.state
        for command in decision.commands:
            self._carry_out(command)

    def _carry_out(self, command: cmd.Command) -> None:
        if isinstance(command, cmd.ArmTimer):
            fired = ev.TimerFired(command.deadline_ms, command.timer, command.deadline_ms)
            self.time.at(max(command.deadline_ms, self.time.ms), lambda: self.feed(fired))
        elif isinstance(command, cmd.InviteAgents):
            proposals = tuple(self.clerk.propose(view_of(self.state, self.policy), command.reason))
            asked = ("clerk", command.turn, command.revision, proposals)
            self._soon(lambda: self.feed(ev.AgentAnswered(self.time.now_ms(), *asked)))
        elif isinstance(command, cmd.AwaitJournal):
            self._soon(lambda: self.feed(ev.Journaled(self.time.now_ms(), command.grant)))
        elif isinstance(command, cmd.Perform):
            self._later(lambda: self.call.acted(command.action))
            self._soon(lambda: self.feed(ev.ActionFinished(self.time.now_ms(), command.grant, True, "")))
        elif isinstance(command, cmd.Say):
            self._said_ms[command.utterance] = self.time.now_ms()
            self._soon(lambda: self.feed(ev.PlaybackStarted(self.time.now_ms(), command.utterance)))
        elif isinstance(command, cmd.HoldSpeech):
            self._later(self.call.held)
            self._soon(lambda: self._stopped(command.utterance))

    def _stopped(self, utterance: str) -> None:
        now_ms = self.time.now_ms()
        self.feed(ev.PlaybackStopped(now_ms, utterance, now_ms - self._said_ms[utterance], "Noted"))

    def _soon(self, work: Callable[[], Any]) -> None:
        self.time.call_later(0, work)

    def _later(self, work: Callable[[], Any]) -> None:
        self.time.call_later(self.late_ms / 1_000, work)


def test_who_acts_at_once_does_all_that_is_due_and_mistimes_nothing(script: ModuleType) -> None:
    result = Side(script, late_ms=0, seconds=90).play.result()
    assert result["due"] == result["done_in_time"] == result["acted"] > 15
    assert result["mistimed"] == 0
    assert result["act_ms"]["99"] <= 1  # whole milliseconds on the call's clock
    assert result["holds"] > 15


def test_who_acts_late_is_told_how_late_and_what_had_been_taken_back(script: ModuleType) -> None:
    result = Side(script, late_ms=150, seconds=90).play.result()
    assert 149 <= result["act_ms"]["50"] <= 152
    assert result["hold_ms"]["50"] == pytest.approx(150)
    assert result["mistimed"] == result["acted"] - result["done_in_time"] > 3
