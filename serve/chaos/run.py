"""Chaos: scripted callers call a running offhook, faults strike it meanwhile, and then everything is accounted for.

    callers ─▶ records of what they did and heard ─┐
    schedule ─▶ strikes, with their moments ───────┼─▶ checks ─▶ report
    journals, the tools' register ─────────────────┘

Which faults, and when, follows from a seed (`policies/simulation/chaos.py`); carrying them out is `strikes.py`'s
matter, what must hold is in `journal_checks.py` and `line_checks.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
from offhook.actors.contracts.call_operations import CallAddress
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.node_operations import NodeFigures
from offhook.actors.contracts.operations import read
from offhook.actors.journals.journal import Kept
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.operations import ClusterFigures
from offhook.policies.core.errors import CallerFault, OffhookError
from offhook.policies.core.records import End, Record
from offhook.policies.simulation.chaos import UNNAMED, schedule

from ..callers.redirect import Resume
from ..callers.scenario import Script
from ..callers.softphone import CallRecord, place
from ..carriers import registry
from ..config.settings import read as read_settings
from ..views import journal_view
from .journal_checks import Evidence, Struck, check_journal
from .line_checks import GAP_MS_MAX, check_line
from .strikes import LiveCall, NothingThereError, Striker

RETRY_S = 0.5  # between two tries to place a call while nobody takes one
STAGGER_S = 0.4
START_S = 60.0  # for the first callers to get their lines; then faults strike all the same
TARGET_MS = 20_000  # for what a fault strikes to be there: a supervisor that was killed is back after 2 s, or after ten
JOURNAL_S = 40.0  # after the last call: a line that was lost is waited for by its policy, then the end is written
PAGE = 5_000
LEAVE_S = 10.0  # a caller in the midst of a script at the end of the run may finish a phrase

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for."""

    seed: int = 1
    seconds: float = 60.0
    calls: int = 4  # at a time
    faults: tuple[str, ...] = UNNAMED
    per_minute: float = 12.0
    gap_ms_max: int = GAP_MS_MAX

    def __post_init__(self) -> None:
        if not (10 <= self.seconds <= 86_400 and 1 <= self.calls <= 200 and 20 <= self.gap_ms_max <= 10_000):
            raise CallerFault("chaos lasts 10 to 86400 seconds, with 1 to 200 calls, and gaps of 20 to 10000 ms")

    def command(self) -> str:
        """What repeats it."""
        words = ["offhook", "chaos", f"--seed={self.seed}", f"--seconds={self.seconds:g}", f"--calls={self.calls}"]
        words += [f"--per-minute={self.per_minute:g}", f"--gap-ms-max={self.gap_ms_max}"]
        words += [f"--fault={name}" for name in self.faults] if self.faults != UNNAMED else []
        return shlex.join(words)


class Installation:
    """A running offhook: its API, and over Ray (this process has joined its cluster) its supervisors.

    Args:
        redis_url: where the journal is; "" = nothing here tells.
        owns_ray: this process has started Ray, so its control store is a child of this process.
    """

    def __init__(self, api: httpx.AsyncClient, redis_url: str = "", owns_ray: bool = False) -> None:
        self.api = api
        self._redis_url = redis_url
        self._owns_ray = owns_ray
        self._nodes: dict[str, bool] = {}  # node -> its journal is a file of its own; such a one is remembered

    async def figures(self) -> list[NodeFigures]:
        """See `strikes.System`."""
        nodes = read(ClusterFigures, await self._get("/healthz"), "the installation's figures").nodes
        self._nodes = {name: own for name, own in self._nodes.items() if own}
        self._nodes |= {name: bool(node.journal) for name, node in nodes.items()}
        return list(nodes.values())

    async def live_calls(self) -> list[LiveCall]:
        """See `strikes.System`."""
        body = await self._get("/v1/calls", live="true", limit=1_000)
        return list(read(list[LiveCall], body["calls"], "the list of calls"))

    async def observe(self, call: str) -> CallAddress:
        """See `strikes.System`."""
        for node in sorted(self._nodes):
            with contextlib.suppress(OffhookError):
                return await (await asyncio.to_thread(SupervisorRef.find, node)).observe(call)
        raise NothingThereError(f"no node leads {call}")

    async def pause_redis(self, ms: int) -> str:
        """See `strikes.System`. Source: https://redis.io/docs/latest/commands/client-pause/"""
        if not self._redis_url:
            raise NothingThereError("the journal is in Redis, and nothing here tells where (--journal)")
        from redis.asyncio import Redis

        async with Redis.from_url(self._redis_url) as redis:
            await redis.client_pause(ms, all=True)
        return "Redis, all its clients"

    async def kill_store(self) -> Callable[[], None]:
        """See `strikes.System`."""
        from offhook.cluster import ray_private

        node = ray_private.own_node() if self._owns_ray else None
        if node is None:
            raise NothingThereError("Ray's control store is restarted by who has started Ray, and this run has not")
        if not node.redis_address:
            raise NothingThereError("Ray's control store would forget everything: set RAY_REDIS_ADDRESS (Ray's own)")
        return await asyncio.to_thread(ray_private.stop_control_store, node)

    async def records(self, call: str) -> list[Record]:
        """A call's journal."""
        records: list[Record] = []
        after_seq: int | None = -1
        while after_seq is not None:
            page = await self._get(f"/v1/calls/{call}/journal", after_seq=after_seq, limit=PAGE)
            records += [journal_view.record(call, entry) for entry in page["records"]]
            after_seq = page["next_after_seq"]
        return records

    async def acts(self, call: str) -> list[list[Any]]:
        """What the tools' registers have of a call; one in Redis is the same for all nodes.

        Raises:
            LinkLost: one cannot be asked.
        """
        acts: dict[str, list[Any]] = {}
        asked = 0
        for node, own in sorted(self._nodes.items()):
            try:
                told = await (await asyncio.to_thread(SupervisorRef.find, node)).acts(call)
            except LinkLost:
                if own:
                    raise
                continue
            asked += 1
            acts |= {each.key: [each.action, each.key, each.tries] for each in told}
        if not asked:
            raise LinkLost("no node is left that can be asked")
        return list(acts.values())

    async def kept(self, call: str) -> Kept | None:
        """What the journal has noted of a call. Raises: LinkLost: no node can be asked."""
        asked = 0
        for node in sorted(self._nodes):
            with contextlib.suppress(LinkLost):
                noted = await (await asyncio.to_thread(SupervisorRef.find, node)).kept(call)
                asked += 1
                if noted is not None:
                    return Kept(**noted)
        if not asked:
            raise LinkLost("no node is left that can be asked")
        return None

    async def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer = await self.api.get(path, params=parameters)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise LinkLost(f"{path} does not answer: {error}") from error
        return dict(answer.json())


@dataclass(slots=True)
class _Taken:
    """One call that was placed."""

    call: str
    began_ms: int = 0
    record: CallRecord | None = None


@dataclass(slots=True)
class Chaos:
    """One run against one installation."""

    run: Run
    installation: Installation
    scripts: Sequence[Script]
    progress: Progress = lambda _what: None
    struck: list[Struck] = field(default_factory=list)
    refused: int = 0  # calls that nobody took at the first try
    _taken: list[_Taken] = field(default_factory=list)
    _zero_s: float = 0.0
    _late_ms: int = 0  # the whole schedule: until the callers had their lines, and for what was not there to be struck
    _ringing: set[int] = field(default_factory=set)  # callers who have had no line yet

    async def report(self) -> dict[str, Any]:
        """Carry the run out; what came of it, in plain values."""
        self._zero_s = time.monotonic()
        await self.installation.figures()
        striker = Striker(self.installation, self._now_ms)
        self._ringing = set(range(self.run.calls))
        callers = [asyncio.create_task(self._call_again_and_again(number)) for number in range(self.run.calls)]
        try:
            await self._lines()
            await self._strike(striker)
            await asyncio.gather(*callers)
        finally:
            for caller in callers:
                caller.cancel()
            await striker.finish()
        self.progress(f"{len(self._taken)} calls are over; accounting for them")
        return await self._account()

    def _now_ms(self) -> int:
        return int((time.monotonic() - self._zero_s) * 1_000)

    async def _lines(self) -> None:
        """Until every caller has a line: what strikes nobody proves nothing. The schedule begins then."""
        while self._ringing and self._now_ms() < START_S * 1_000:
            await asyncio.sleep(0.05)
            self._late_ms = self._now_ms()

    async def _strike(self, striker: Striker) -> None:
        run = self.run
        for strike in schedule(run.seed, int(run.seconds * 1_000), run.faults, run.per_minute):
            await asyncio.sleep(max(0, strike.at_ms + self._late_ms - self._now_ms()) / 1_000)
            struck = await striker.strike(strike, TARGET_MS)
            self._late_ms = max(self._late_ms, struck.at_ms - strike.at_ms)  # the rest after it is kept
            self.struck.append(struck)
            told = f"not done: {struck.missed}" if struck.missed else struck.target
            self.progress(f"{struck.at_ms / 1_000:6.1f} s  {struck.fault}: {told}")

    # --- callers ----------------------------------------------------------------------------------------------------

    async def _call_again_and_again(self, number: int) -> None:
        await asyncio.sleep(number * STAGGER_S)
        turn = number
        while (left_s := self.run.seconds + (self._late_ms - self._now_ms()) / 1_000) > 1:
            script = self.scripts[turn % len(self.scripts)]
            turn += self.run.calls
            placed = await self._placed(script)
            if placed is not None:
                await self._call(number, script, placed, left_s)

    async def _placed(self, script: Script) -> dict[str, Any] | None:
        wanted = {"from": script.number, "direction": script.direction}
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.installation.api.post("/v1/calls", json=wanted)
            if answer.status_code == 201:
                return dict(answer.json())
        self.refused += 1
        await asyncio.sleep(RETRY_S)
        return None

    async def _call(self, number: int, script: Script, placed: dict[str, Any], left_s: float) -> None:
        taken = _Taken(placed["call_id"])
        self._taken.append(taken)
        carrier = registry.named(placed["carrier"], read_settings().carrier_choices)
        resume = Resume.of(carrier, str(self.installation.api.base_url), taken.call)

        def on_line(*_: Any) -> None:
            taken.began_ms = self._now_ms()
            self._ringing.discard(number)

        taken.record = await place(
            script, placed["media_url"], carrier, resume=resume, on_line=on_line, call_s_max=left_s + LEAVE_S
        )

    # --- accounting -------------------------------------------------------------------------------------------------

    async def _account(self) -> dict[str, Any]:
        counts: Counter[str] = Counter()
        violations: list[dict[str, Any]] = []
        deadline = time.monotonic() + JOURNAL_S
        with contextlib.suppress(LinkLost):
            await self.installation.figures()  # of the nodes that are left
        for taken in self._taken:
            evidence = await self._evidence(taken, deadline)
            for account in (check_journal(evidence), check_line(evidence, self.run.gap_ms_max)):
                counts += account.counts
                violations += [{"call": taken.call, **asdict(violation)} for violation in account.violations]
        return {
            "seed": self.run.seed,
            "repeat": self.run.command(),
            "calls": len(self._taken),
            "calls_refused": self.refused,
            "struck": [asdict(struck) for struck in self.struck],
            "counts": dict(sorted(counts.items())),
            "violations": violations,
        }

    async def _evidence(self, taken: _Taken, deadline: float) -> Evidence:
        """What is known of a call, once its journal has its end or the time for it has passed."""
        records: list[Record] = []
        while not records or records[-1].kind != End.KIND:
            with contextlib.suppress(LinkLost):
                records = await self.installation.records(taken.call)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        acts, kept = None, None
        with contextlib.suppress(OffhookError):
            kept = await self.installation.kept(taken.call)
            acts = await self.installation.acts(taken.call)
        assert taken.record is not None
        line, traffic = taken.record.plain(), taken.record.traffic
        return Evidence(taken.call, records, line, traffic.marks, taken.began_ms, self.struck, acts, kept)
