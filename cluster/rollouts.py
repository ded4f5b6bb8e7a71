"""The director's rollouts: gives new calls their versions, counts, ticks, and does what a stage asks for.

What follows from what is `policies/fleet/rollout.py`'s matter. Every step is written to the cluster's memory before it
is acted on, with how far the nodes' counts have been taken in; a director that died goes on where it stopped. What a
stage asks for is brought about anew at every tick (shadows that are missing, running calls that are still to go over),
so it does not matter which of it was done before a death.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from offhook.actors.contracts.node_operations import ArmReport, Bundle, CallRequest, PlainPolicy, SwapOutcome
from offhook.actors.contracts.operations import plain, read
from offhook.policies.core.errors import CallerFault, IllegalMove, OffhookError
from offhook.policies.core.policy import Level, recorded_policy
from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.fleet import rollout as rules
from offhook.policies.fleet.rollout import Rollout, Stage
from offhook.policies.gate.autonomy import capped

from .counts import Counts
from .desired_state import DesiredState
from .operations import (
    Divergence,
    GuardEvidence,
    RolloutRequest,
    RolloutStatus,
    RolloutSummary,
    SwapTotals,
)
from .shadowing import Shadowing

log = logging.getLogger(__name__)

TICK_S = 1.0
KEPT_MAX = 50  # rollouts that are remembered; the oldest that are over go
PREFIX = "rollout/"
BACK_MS = 10_000  # running calls of a candidate that was rolled back have so long to reach a safe point, then they go


class NoSuchRollout(CallerFault):
    """There is no rollout of this name; the message names those that there are."""


class Fleet(Protocol):
    """What rollouts need of the director."""

    async def arms(self) -> dict[str, ArmReport]:
        """Node -> what it has counted."""

    async def offer(self, version: str, policy: PlainPolicy, bundle: Bundle) -> None:
        """Give a version to every node."""

    async def unoffer(self, version: str) -> None:
        """Take it back."""

    async def live_versions(self) -> Mapping[str, int]:
        """Version -> its live calls."""

    async def agents_up(self, version: str) -> None:
        """Waits until its agents run. Raises: PolicyError."""

    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """Move running calls, or all that a version leads where none is named."""


class Rollouts:
    """All rollouts of a cluster; at most one of a policy is under way."""

    def __init__(
        self,
        fleet: Fleet,
        wanted: DesiredState,
        shadowing: Shadowing,
        now_unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._fleet = fleet
        self._wanted = wanted
        self._shadowing = shadowing
        self._now = now_unix_ms
        self._all: dict[str, Rollout] = {}  # by their own names, the oldest first
        self._counts: dict[str, Counts] = {}
        self._swaps: dict[str, SwapTotals | None] = {}  # what the last move of running calls came to
        self._moving: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()  # one change at a time: what is written is what is acted on

    async def recall(self) -> None:
        """Read everything back. Raises: MemoryAway."""
        memory = self._wanted.memory
        found = []
        for name in await memory.names():
            blob = await memory.get(name) if name.startswith(PREFIX) else None
            if blob is not None:
                told = json.loads(blob)
                found.append(
                    (Rollout.model_validate(told["rollout"]), Counts.from_plain(told["counts"]), _swap_of(told["swap"]))
                )
        for rollout, counts, swap in sorted(found, key=lambda each: (each[0].history[0].at_unix_ms, each[0].number)):
            self._all[rollout.name] = rollout
            self._counts[rollout.name] = counts
            self._swaps[rollout.name] = swap

    # --- new calls --------------------------------------------------------------------------------------------------

    def assign(self, request: CallRequest, version: str) -> CallRequest:
        """The request with its version, and its arm where a rollout has drawn one.

        Args:
            version: what its policy leads to without a rollout. Who asks for a version by its own name is pinned to it.
        """
        asked = request.policy or self._wanted.default
        led = replace(request, policy=version)
        rollout = self._under_way(asked)
        if rollout is None or rollout.baseline != version:
            return led
        number = request.callee if request.direction == "outbound" else request.caller
        arm = rules.arm_of(rollout, request.call, request.direction, number)
        if arm is None:
            return led
        led_by = rollout.version_of(rollout.step) if arm else version
        return replace(led, policy=led_by, arm=f"{rollout.name}/{rollout.step}/{arm}")

    def uses(self) -> dict[str, str]:
        """Version -> what a rollout that is under way does with it."""
        used: dict[str, str] = {}
        for rollout in self._all.values():
            if rollout.under_way:
                used[rollout.baseline] = "baseline"
                used.update(dict.fromkeys((rollout.candidate, *rollout.versions()), str(rollout.stage)))
        return used

    def refuse_while_under_way(self, policy: str, what: str) -> None:
        """Raises:
        CallerFault: a rollout of this policy decides.
        """
        rollout = self._under_way(policy)
        if rollout is not None:
            raise CallerFault(
                f"{what} while rollout {rollout.name} is {rollout.stage}; end it: offhook rollout abort {policy}"
            )

    def _under_way(self, policy: str) -> Rollout | None:
        return next((each for each in self._all.values() if each.policy == policy and each.under_way), None)

    # --- orders -----------------------------------------------------------------------------------------------------

    async def start(self, request: RolloutRequest, by: Principal = NOBODY) -> RolloutStatus:
        """See `ClusterOperations.rollout_start`."""
        plan = request.plan
        candidate = self._wanted.version(request.version)
        policy = candidate.name
        baseline = self._wanted.leads.get(policy, "")
        if not baseline:
            raise CallerFault(f"nothing leads {policy} yet; let a version lead: offhook policy publish DIR --lead")
        if baseline == candidate.version:
            raise CallerFault(f"{candidate.version} leads {policy} already; publish another version first")
        self.refuse_while_under_way(policy, "a rollout cannot be started")
        numbers = [each.number for each in self._all.values() if each.policy == policy]
        fresh = Rollout(
            policy=policy,
            number=max(numbers, default=0) + 1,
            baseline=baseline,
            candidate=candidate.version,
            plan=plan,
        )
        await self._offer_capped(fresh)
        await asyncio.gather(*map(self._fleet.agents_up, dict.fromkeys((candidate.version, *fresh.versions()))))
        async with self._turn:
            self.refuse_while_under_way(policy, "a rollout cannot be started")
            await self._forget_oldest()
            await self._become(rules.begun(fresh, self._now(), f"started by {by}" if by != NOBODY else "started"))
        return self.status(fresh.name)

    async def order(self, name: str, word: str, by: Principal = NOBODY) -> RolloutStatus:
        """See `ClusterOperations.rollout_order`."""
        if word not in rules.WORDS:
            raise IllegalMove(f"{word!r}: a rollout can be told to {', '.join(rules.WORDS)}")
        async with self._turn:
            rollout = self._find(name)
            newest = next(each for each in reversed(self._all.values()) if each.policy == rollout.policy)
            if newest.name != rollout.name:
                raise IllegalMove(f"rollout {rollout.name} is over: {newest.name} came after it")
            why = f"{word} by {by if by != NOBODY else 'an operator'}"
            await self._become(rules.moved(rollout, word, self._now(), why))
        return self.status(rollout.name)

    # --- looking ----------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Take the counts in, go on or back, and bring about what the stages ask for. A part that fails is tried again
        at the next tick."""
        nodes = await self._fleet.arms()
        for name, rollout in tuple(self._all.items()):
            try:
                async with self._turn:
                    await self._look(self._all[name], nodes)
            except OffhookError as fault:
                log.warning("rollout %s: %s", rollout.name, fault)

    async def _look(self, rollout: Rollout, nodes: Mapping[str, ArmReport]) -> None:
        if rollout.under_way:
            shadows, failed = await self._shadowing.look(rollout) if rollout.stage is Stage.SHADOW else ({}, "")
            counted = self._counts[rollout.name].taken(rollout, {**nodes, **shadows})
            now = self._now()
            why = f"the candidate in shadow: {failed}"
            ticked = rules.moved(counted, "alarm", now, why) if failed else rules.ticked(counted, now)
            leads = self._wanted.leads.get(rollout.policy, "")
            if leads not in (rollout.baseline, *rollout.versions()):
                ticked = rules.moved(counted, "abort", now, f"{leads} was made to lead meanwhile")
            if ticked.stage is not rollout.stage or ticked.step != rollout.step:
                await self._become(ticked)
            elif ticked != rollout:
                await self._keep(ticked)
        else:
            await self._tidy(rollout)
        self._move_calls(self._all[rollout.name])

    async def _become(self, rollout: Rollout) -> None:
        """Write it down, then do it. Who leads is written first: after a death in between the move is made again."""
        leads = self._wanted.leads.get(rollout.policy)
        last = rollout.version_of(len(rollout.plan.steps))
        if rollout.stage is Stage.LIVE and leads != last:
            await self._wanted.lead(rollout.policy, last)
        elif rollout.stage in rules.BACK and leads in rollout.versions():
            await self._wanted.lead(rollout.policy, rollout.baseline)
        await self._keep(rollout)
        log.info("rollout %s is %s: %s", rollout.name, rollout.stage, rollout.history[-1].why)
        if rollout.stage is not Stage.SHADOW:
            await self._shadowing.end(rollout)
        self._swaps[rollout.name] = None
        self._move_calls(rollout)

    # --- running calls ----------------------------------------------------------------------------------------------

    def _move_calls(self, rollout: Rollout) -> None:
        """Have running calls go where the stage wants them, once after each move."""
        orders = self._moves_wanted(rollout)
        if not orders or self._swaps.get(rollout.name) or rollout.name in self._moving:
            return
        task = asyncio.get_running_loop().create_task(self._swap(rollout, orders))
        self._moving[rollout.name] = task
        task.add_done_callback(lambda _task: self._moving.pop(rollout.name, None))

    def _moves_wanted(self, rollout: Rollout) -> list[tuple[str, str, int, str]]:
        """(to, from, deadline_ms, at_deadline): back from a candidate that failed, over to one that is live."""
        if rollout.stage in rules.BACK and rollout.baseline:
            return [(rollout.baseline, version, BACK_MS, "force") for version in rollout.versions()]
        live = rollout.plan.live
        if rollout.stage is Stage.LIVE and live is not None and rollout.baseline:
            to = rollout.version_of(len(rollout.plan.steps))
            others = [each for each in (rollout.baseline, *rollout.versions()) if each != to]
            return [(to, version, live.deadline_ms, live.at_deadline) for version in others]
        return []

    async def _swap(self, rollout: Rollout, orders: list[tuple[str, str, int, str]]) -> None:
        total = SwapTotals()
        try:
            for to, version, deadline_ms, at_deadline in orders:
                told = await self._fleet.swap_policy(to, version, [], deadline_ms, at_deadline)
                total = SwapTotals(
                    total.asked + told.asked,
                    total.swapped + told.swapped,
                    total.kept + told.kept,
                    total.refused + len(told.refused),
                )
        except OffhookError as fault:
            log.warning("rollout %s: running calls were not all moved: %s", rollout.name, fault)
            return  # the next tick tries again
        async with self._turn:
            self._swaps[rollout.name] = total
            await self._keep(self._all[rollout.name])

    # --- telling ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[RolloutSummary]:
        """One row a rollout, the newest first."""
        return [
            RolloutSummary(
                each.name, each.policy, each.baseline, each.candidate, each.stage.value, _share(each), each.reason
            )
            for each in reversed(self._all.values())
        ]

    def status(self, name: str) -> RolloutStatus:
        """All of one rollout, by its name or its policy's. Raises: NoSuchRollout."""
        rollout = self._find(name)
        least = rules.needed(rollout.plan)
        says = {**rules.MARKS, **rules.SHADOW_MARKS}
        guards = (
            GuardEvidence(each.mark, says[each.mark], round(rules.evidence(rollout, each), 2), round(least, 2))
            for each in rollout.plan.guards
        )
        return RolloutStatus(
            name=rollout.name,
            policy=rollout.policy,
            baseline=rollout.baseline,
            candidate=rollout.candidate,
            stage=rollout.stage.value,
            share=_share(rollout),
            reason=rollout.reason,
            plan=rollout.plan,
            step=rollout.step,
            since_unix_ms=rollout.since_unix_ms,
            tallies=rollout.tallies,
            shadowed=rollout.shadowed,
            history=rollout.history,
            guards=tuple(guards),
            swap=self._swaps.get(rollout.name),
        )

    def divergence(self, name: str, after: int = -1, limit: int = 100) -> Divergence:
        """What shadows have found. Raises: NoSuchRollout."""
        return self._shadowing.told(self._find(name), after, limit)

    def _find(self, name: str) -> Rollout:
        found = self._all.get(name) or next((e for e in reversed(self._all.values()) if e.policy == name), None)
        if found is None:
            known = ", ".join(reversed(self._all)) or "none"
            raise NoSuchRollout(f"no rollout {name!r}; there are: {known}")
        return found

    # --- keeping ----------------------------------------------------------------------------------------------------

    async def _keep(self, rollout: Rollout) -> None:
        counts = self._counts.setdefault(rollout.name, Counts())
        body = {
            "rollout": rollout.model_dump(mode="json"),
            "counts": counts.plain(),
            "swap": plain(self._swaps.get(rollout.name)) or {},
        }
        await self._wanted.memory.put(PREFIX + rollout.name, json.dumps(body).encode())
        self._all[rollout.name] = rollout

    async def _forget_oldest(self) -> None:
        over = [name for name, each in self._all.items() if not each.under_way]
        for name in over[: max(0, len(self._all) - KEPT_MAX + 1)]:
            await self._wanted.memory.drop(PREFIX + name)
            for kept in (self._all, self._counts, self._swaps):
                kept.pop(name, None)

    async def _offer_capped(self, rollout: Rollout) -> None:
        """Steps with less autonomy are versions of their own (`policies/gate/autonomy.py`), kept like all others."""
        whole = self._wanted.versions[rollout.candidate]
        steps = [*(step.autonomy for step in rollout.plan.steps), rollout.plan.autonomy]
        levels: dict[str, Level] = dict(zip(map(rollout.version_of, range(len(steps))), steps, strict=True))
        for version, level in levels.items():
            if version != rollout.candidate:
                plain = capped(recorded_policy(whole.policy), level).model_dump(mode="json")
                used = {rollout.candidate, *levels, *self.uses(), *await self._fleet.live_versions()}
                for old in await self._wanted.keep(type(whole)(version, plain, whole.bundle), used):
                    await self._fleet.unoffer(old)
                await self._fleet.offer(version, plain, whole.bundle)

    async def _tidy(self, rollout: Rollout) -> None:
        """Versions that were made for the steps of a rollout that is over go when nothing uses them any more."""
        made = [each for each in rollout.versions() if each != rollout.candidate and each in self._wanted.versions]
        if made:
            used = {*self._wanted.leads.values(), *self.uses(), *await self._fleet.live_versions()}
            for version in made:
                if version not in used:
                    await self._wanted.forget(version)
                    await self._fleet.unoffer(version)


def _share(rollout: Rollout) -> float:
    """Of new calls that the candidate gets now."""
    return rollout.present.share if rollout.present is not None else float(rollout.stage is Stage.LIVE)


def _swap_of(raw: object) -> SwapTotals | None:
    """What was kept of the last move of running calls; {} = there was none."""
    return read(SwapTotals, raw, "a rollout's last swap") if raw else None


async def keep_ticking(rollouts: Rollouts, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Tick for ever."""
    while True:
        await sleep(TICK_S)
        try:
            await rollouts.tick()
        except Exception:
            log.exception("a tick of the rollouts failed; it is tried again")  # this loop must never stop
