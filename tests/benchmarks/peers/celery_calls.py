"""The task-queue side of `task_queue.py`: the same decisions as tasks of Celery. Runs in Celery's own environment.

One task an event. A worker reads the call's state from Redis, folds the event in with the very same core, asks the
agent in the same task, writes the state back under optimistic locking (WATCH ... EXEC, tried again where another worker
was faster), and publishes the commands in the same transaction. No result backend, prefetch 1, messages and state as
msgpack, workers on both cores. With `--queues sharded` a call's events go to one worker's own queue, so they stay in
order; with `shared` any worker takes them.

The other half of this file is the media process: it plays the callers, arms the timers that the core asks for (as its
own clock: an ETA in Celery would be later), and plays the agent's voice, as PlaybackStarted and PlaybackStopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
import zlib
from typing import Any

import msgpack
import redis
import redis.asyncio
from celery import Celery
from offhook.policies.conversation.machine import step
from offhook.policies.conversation.view import view_of
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.parts import replace
from offhook.policies.core.policy import Policy
from offhook.policies.core.state import CallState
from peers.script import POLICY, Call, Clerk, Play

BROKER = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0")
ACTS = (cmd.Perform, cmd.Say, cmd.HoldSpeech, cmd.ResumeSpeech, cmd.CutSpeech, cmd.ArmTimer, cmd.DisarmTimer)
COMMANDS = "commands"  # the channel on which the media process listens
WORD_MS = 330
BEGIN_S = 0.01  # between two calls that begin: below what the workers can take

app = Celery("calls", broker=BROKER)
app.conf.update(
    task_serializer="msgpack",
    accept_content=["msgpack"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    broker_pool_limit=4,
)
policy = Policy.model_validate(POLICY)
clerk = Clerk("clerk", policy.agents["clerk"])
store = redis.Redis.from_url(BROKER)


# --- the worker -----------------------------------------------------------------------------------------------------


@app.task(name="fold")
def fold(call: int, array: list[Any]) -> None:
    """Fold one event into its call's state."""
    event = decode(array)
    key = f"call:{call}"
    with store.pipeline() as pipe:
        while True:
            try:
                pipe.watch(key)
                raw = pipe.get(key)
                state = decode(msgpack.unpackb(raw, strict_map_key=False)) if raw else CallState()
                state, acts = decided(state, event)
                pipe.multi()
                pipe.set(key, msgpack.packb(encode(state)))
                if acts:
                    pipe.publish(COMMANDS, msgpack.packb([call, acts]))
                pipe.execute()
                return
            except redis.WatchError:
                continue


def decided(state: CallState, event: ev.Event) -> tuple[CallState, list[Any]]:
    """The new state and the commands to carry out; the agent is asked at once."""
    acts: list[Any] = []
    todo = [event]
    while todo:
        event = todo.pop(0)
        if event.at_ms < state.now_ms:  # overtaken in the queue: it enters at the present moment, as in a call actor
            event = replace(event, at_ms=state.now_ms)
        decision = step(state, event, policy)
        state = decision.state
        for command in decision.commands:
            if isinstance(command, cmd.InviteAgents):
                proposals = tuple(clerk.propose(view_of(state, policy), command.reason))
                todo.append(ev.AgentAnswered(state.now_ms, "clerk", command.turn, command.revision, proposals))
            elif isinstance(command, ACTS):
                acts.append(encode(command))
    return state, acts


# --- the media process ----------------------------------------------------------------------------------------------


class Media:
    """All lines of one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.play = Play(options.calls, options.seconds, options.seed, self.send)
        self._shards = options.shards
        self._producer = app.amqp.Producer(app.connection_for_write())
        self._timers: dict[tuple[int, str], asyncio.TimerHandle] = {}
        self._speaking: dict[int, tuple[str, float]] = {}  # call -> utterance, since

    def send(self, call: Call, event: ev.Event) -> None:
        queue = f"calls.{zlib.crc32(str(call.number).encode()) % self._shards}" if self._shards else "calls"
        app.send_task("fold", (call.number, encode(event)), producer=self._producer, queue=queue)

    async def run(self) -> dict[str, Any]:
        listener = redis.asyncio.Redis.from_url(BROKER)
        channel = listener.pubsub()
        await channel.subscribe(COMMANDS)
        hearing = asyncio.get_running_loop().create_task(self._listen(channel))
        await self._begin()
        await self.play.run()
        await asyncio.sleep(3)  # for acts that are late
        hearing.cancel()
        await channel.aclose()
        await listener.aclose()
        return self.play.result()

    async def _begin(self) -> None:
        """Every call is there before its line is answered, whatever overtakes what in a shared queue."""
        calls = self.play.calls
        for call in calls:
            call.zero = time.perf_counter()
            self.send(call, ev.CallCreated(0, f"c{call.number}", "inbound", "", "", "test"))
            await asyncio.sleep(BEGIN_S)
        await asyncio.sleep(1)
        for call in calls:
            self.send(call, ev.AgentJoined(call.now_ms(), "clerk"))
            await asyncio.sleep(BEGIN_S)
        await asyncio.sleep(1)
        for call in calls:
            self.send(call, ev.LineAnswered(call.now_ms()))
            await asyncio.sleep(BEGIN_S)
        await asyncio.sleep(1)

    async def _listen(self, channel: Any) -> None:
        async for message in channel.listen():
            if message["type"] == "message":
                number, acts = msgpack.unpackb(message["data"])
                for array in acts:
                    self._carry_out(self.play.calls[number], decode(array))

    def _carry_out(self, call: Call, command: cmd.Command) -> None:
        now = time.perf_counter()
        if isinstance(command, cmd.Perform):
            call.acted(command.action)
            self.send(call, ev.ActionFinished(call.now_ms(), command.grant, True, "noted"))
        elif isinstance(command, cmd.Say):
            self._speaking[call.number] = (command.utterance, now)
            self.send(call, ev.PlaybackStarted(call.now_ms(), command.utterance))
        elif isinstance(command, cmd.HoldSpeech):
            call.held()
            utterance, since = self._speaking.get(call.number, ("", now))
            if utterance == command.utterance:
                heard_ms = int((now - since) * 1_000)
                heard = "noted " * (heard_ms // WORD_MS)
                self.send(call, ev.PlaybackStopped(call.now_ms(), utterance, heard_ms, heard.strip()))
        elif isinstance(command, cmd.ArmTimer):
            self._disarm(call, command.timer)
            wait_s = max(0.0, (command.deadline_ms - call.now_ms()) / 1_000)
            fire = asyncio.get_running_loop().call_later(wait_s, self._fire, call, command.timer, command.deadline_ms)
            self._timers[call.number, command.timer] = fire
        elif isinstance(command, cmd.DisarmTimer):
            self._disarm(call, command.timer)

    def _disarm(self, call: Call, timer: str) -> None:
        armed = self._timers.pop((call.number, timer), None)
        if armed is not None:
            armed.cancel()

    def _fire(self, call: Call, timer: str, deadline_ms: int) -> None:
        del self._timers[call.number, timer]
        self.send(call, ev.TimerFired(max(call.now_ms(), deadline_ms), timer, deadline_ms))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=0, help="queues; 0 = one that all workers share")
    options = parser.parse_args()

    async def run() -> dict[str, Any]:
        return await Media(options).run()

    print(json.dumps(asyncio.run(run())))


if __name__ == "__main__":
    main()
