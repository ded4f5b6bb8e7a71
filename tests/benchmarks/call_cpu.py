"""What one live call costs its own process: CPU time, wake-ups and messages a second, without Ray.

    python tests/benchmarks/call_cpu.py [--seconds 20] [--silent] [--profile FILE] [--beside PYTHONPATH]

The call runs in a child as it does inside its actor (`serve_calls`); this program plays supervisor, gateway, agent and
caller in real time: policy monologue, tone voice, a caller who interrupts every few seconds and so talks about half of
the time (`--silent`: listens only). CPU time is the kernel's own count (schedstat), in ns: ticks are too coarse for
work of microseconds. What a process costs depends on what else the machine does, because it finds its caches cold after
each of its sixty short sleeps a second; so compare two states of the code only side by side: `--beside` runs the same
call at the same time on the packages that another PYTHONPATH holds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop
from offhook.actors.contracts.messages import Answer, Audio, Clear, Invite, Mark, Marked, Pace, Play, Stopped
from offhook.actors.contracts.node_messages import Assign, Assigned, Journal, Journaled, Retire
from offhook.actors.contracts.setup import Setup
from offhook.actors.link.link import Array, Link, LinkServer, connect
from offhook.actors.process.clock import anchor_now
from offhook.policies.core.codec import encode
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.serve.bundles import policy_files
from probe import clip_frames

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLIP = EXAMPLES / "audio" / "dana" / "too-expensive.wav"
SPEECH = (
    "It was built by a captain who had lost two ships on the rocks below, and nobody else was to lose a third. " * 8
)
START_S_MAX = 30.0  # for the child to come up
WARM_S = 4.0  # before anything is counted
LISTEN_MS = 2_500  # of the agent, before it is interrupted
GIVE_UP_S = 3.0  # after an interruption that nothing came of
STORED_S = 0.008  # until a record is acknowledged
FRAME_S, FRAME_MS, FRAME_BYTES, SILENCE = 0.02, 20, 160, b"\xff" * 160


class Far:
    """Everybody at the far ends of one call's links."""

    def __init__(self, child: subprocess.Popen[bytes], silent: bool) -> None:
        self.child = child
        self.silent = silent
        self.counts: Counter[str] = Counter()
        self.reactions_ms: list[float] = []
        self.supervisor: asyncio.Future[tuple[Link, str]] = asyncio.get_running_loop().create_future()
        self.primed = asyncio.Event()
        self.gateway: Link | None = None
        self.received = self.played = self.spoken_ms = self.said = 0
        self.marks: list[tuple[int, str]] = []
        self.onset_at = 0.0
        self.together = _together()

    def hello(self, link: Link, _grant: Any, rest: Array) -> None:
        link.on_message = self.told
        self.supervisor.set_result((link, rest[4]))

    def told(self, link: Link, message: Array) -> None:
        """To the supervisor."""
        self.counts[message[0]] += 1
        if message[0] == Journal.NAME:
            call, epoch, seq = message[1][-1][:3]
            asyncio.get_running_loop().call_later(STORED_S, link.send, Journaled.NAME, call, epoch, seq)
        elif message[0] == Assigned.NAME:
            if message[3]:
                sys.exit(f"the call was refused: {message[3]}")
            self.primed.set()

    def asked(self, link: Link, message: Array) -> None:
        """To the agent: it greets, and answers every turn."""
        if message[0] != Invite.NAME or (self.said and message[3] not in ("turn_ended", "interrupted")):
            return
        turn, revision = message[1], message[5]["revision"]
        purpose = Purpose.ANSWER if self.said else Purpose.GREETING
        self.said += 1
        said = Proposal(f"p{self.said}", "closer", Kind.SAY, turn, revision, SPEECH, purpose, Asks.OPEN)
        link.send(Answer.NAME, turn, revision, [encode(said)])

    def ordered(self, link: Link, message: Array) -> None:
        """To the gateway."""
        self.counts[message[0]] += 1
        if message[0] == Play.NAME:
            self.received += len(message[2])
        elif message[0] == Pace.NAME:
            self.together.pace = message[2]
        elif message[0] == Mark.NAME:
            self.marks.append((self.received, message[2]))
        elif message[0] == Clear.NAME:
            if self.onset_at:
                self.reactions_ms.append((time.perf_counter() - self.onset_at) * 1_000)
            self.onset_at, self.spoken_ms, self.played = 0.0, 0, self.received
            self.return_marks(link)

    def return_marks(self, link: Link) -> None:
        while self.marks and self.marks[0][0] <= self.played:
            link.send(Marked.NAME, self.marks.pop(0)[1])

    async def talk(self, seconds: float) -> None:
        """Frames in real time."""
        assert self.gateway is not None
        loop = asyncio.get_running_loop()
        clip, mouth, due = clip_frames(CLIP), list[bytes](), loop.time()
        for _ in range(int(seconds / FRAME_S)):
            if not mouth and not self.silent and not self.onset_at and self.spoken_ms >= LISTEN_MS:
                mouth, self.onset_at = list(clip), time.perf_counter() - FRAME_S
            leaving = self.together.add(mouth.pop(0) if mouth else SILENCE)
            if leaving:
                self.gateway.send(Audio.NAME, self.counts["frames"], leaving)
                self.counts["frames"] += len(leaving) // FRAME_BYTES
            if self.played < self.received:
                self.played += FRAME_BYTES
                self.spoken_ms += FRAME_MS
            self.return_marks(self.gateway)
            if not mouth and self.onset_at and time.perf_counter() - self.onset_at > GIVE_UP_S:
                self.onset_at = 0.0
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))


def _together() -> Any:
    """As a gateway sends them; imported here because a child on another state of the code needs none."""
    from offhook.serve.gateway.frame_batching import FrameBatching

    return FrameBatching()


def used(pid: int) -> tuple[float, int]:
    """(ms of CPU, wake-ups) of a process's main thread so far."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    waits = next(int(line.split()[1]) for line in status if line.startswith("voluntary"))
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6, waits


async def measure(seconds: float, silent: bool, profile: str, path: str) -> dict[str, Any]:
    """One call for so long; plain figures, per second."""
    with tempfile.TemporaryDirectory(prefix="oh-cpu-", dir="/tmp") as folder:
        far: Far
        server = LinkServer(lambda link, grant, rest: far.hello(link, grant, rest))
        endpoint = await server.start(f"unix:{folder}/s.sock")
        server.admit("call", "resident", lasting=True)
        command = [sys.executable, __file__, "--child", endpoint, *(["--profile", profile] if profile else [])]
        variables = {**os.environ, "PYTHONPATH": path} if path else None
        far = Far(subprocess.Popen(command, env=variables), silent)  # noqa: ASYNC220 - nothing else is to be done yet
        try:
            link, own = await asyncio.wait_for(far.supervisor, START_S_MAX)
            link.send(Assign.NAME, "c1", 1, setup().as_map())
            await far.primed.wait()
            await connect(own, "agent", "closer", "agent", [], on_message=far.asked)
            far.gateway = await connect(own, "media", "MZ1", "mulaw8k", on_message=far.ordered)
            await far.talk(WARM_S)
            before, began, counted = used(far.child.pid), time.perf_counter(), Counter(far.counts)
            await far.talk(seconds)
            after, passed_s = used(far.child.pid), time.perf_counter() - began
            link.send(Retire.NAME, "measured")
            far.gateway.send(Stopped.NAME, "measured")
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(far.child.wait, 10)
        finally:
            far.child.kill()
            await server.stop()
    rates = {name: round(count / passed_s, 1) for name, count in sorted((far.counts - counted).items())}
    return {
        "cpu_ms_per_s": round((after[0] - before[0]) / passed_s, 2),
        "wakeups_per_s": round((after[1] - before[1]) / passed_s, 1),
        "messages_per_s": rates,
        "onset_to_clear_ms": [round(ms, 1) for ms in far.reactions_ms],
    }


def setup() -> Setup:
    """The call."""
    bundle = policy_files.find((str(EXAMPLES / "policies" / "monologue"),))[0]
    chosen = bundle.policy.model_dump(mode="json", exclude_unset=True)  # defaults may differ in another state
    plain = {**chosen, "agents": {"closer": {"code": "x:Y", "calls_per_actor": 50}}}
    now_ms = time.time_ns() // 1_000_000
    tokens = ("media", {"closer": "agent"}, "observer")
    return Setup("c1", 1, "inbound", "+1", "+2", bundle.version, plain, *tokens, now_ms, anchor_now())


async def lead(endpoint: str, profile: str) -> None:
    """The child: a call's process."""
    from offhook.actors.call.call import serve_calls
    from offhook.actors.call.warm_up import warm_up

    warm_up()
    profiler = cProfile.Profile()
    if profile:
        asyncio.get_running_loop().call_later(WARM_S, profiler.enable)
    await serve_calls(endpoint, "resident", "call-1", "")
    if profile:
        profiler.disable()
        profiler.dump_stats(profile)


async def compare(seconds: float, silent: bool, profile: str, beside: str) -> None:
    runs = {"here": measure(seconds, silent, profile, "")}
    if beside:
        runs["beside"] = measure(seconds, silent, "", beside)
    for name, row in zip(runs, await asyncio.gather(*runs.values()), strict=True):
        print(name, row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--profile", default="", help="a file for pstats; the profiler doubles what it measures")
    parser.add_argument("--beside", default="", help="a PYTHONPATH with another state of offhook")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        uvloop.run(lead(options.child, options.profile))
    else:
        uvloop.run(compare(options.seconds, options.silent, options.profile, options.beside))


if __name__ == "__main__":
    main()
