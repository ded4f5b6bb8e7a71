"""The director's policies: what is published, what leads, what may go; and rollouts, which lead from one to the next.

One half of the director (`director.py` has the calls and the nodes). What is wanted is written first
(`desired_state.py`) and done then, so a director that dies in between does it after its return.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from offhook.actors.contracts.errors import UnknownPolicy
from offhook.actors.contracts.node_operations import (
    ArmReport,
    Bundle,
    CallRequest,
    PlainPolicy,
    ShadowOrder,
    ShadowReport,
)
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.core.policy import Policy
from offhook.policies.core.principal import NOBODY, Principal
from pydantic import ValidationError

from .desired_state import DesiredState, Version
from .nodes import Nodes
from .operations import (
    ClusterOperations,
    Divergence,
    PolicyList,
    Published,
    PublishedBundle,
    RolloutList,
    RolloutRequest,
    RolloutStatus,
)
from .rollouts import Rollouts
from .state_store import MemoryAway

log = logging.getLogger(__name__)

HOSTS_S = 20.0  # for the agents' processes of a version; each takes about 2 s, five deaths give an agent up
POLL_S = 0.1


class Publishing(ClusterOperations):
    """See `director.Director`, which sets the parts. What each operation does: `operations.py`."""

    _nodes: Nodes
    _wanted: DesiredState
    _rollouts: Rollouts

    async def publish_policy(
        self,
        version: str,
        policy: PlainPolicy,
        bundle: Bundle = "",
        lead: str = "first",
        by: Principal = NOBODY,
    ) -> Published:
        """A version is offered everywhere."""
        try:
            name = Policy.model_validate(policy).name
        except ValidationError as error:
            raise PolicyError(f"policy {version}: {error}") from error
        if lead == "now":
            self._rollouts.refuse_while_under_way(name, "a version cannot be made to lead")
        used = await self._used()
        for old in await self._wanted.keep(Version(version, policy, bundle, by=by), used):
            await self.unoffer(old)
        await self.offer(version, policy, bundle)
        leads = self._wanted.leads.get(name) == version
        if lead == "now":
            await self.agents_up(version)
        if lead != "first" or name not in self._wanted.leads:
            started = lead in ("start", "default")
            leads = await self._wanted.lead(name, version, default=lead == "default", started=started)
        return Published(name, version, leads)

    async def offer(self, version: str, policy: PlainPolicy, bundle: Bundle) -> None:
        """Give a version to every node that is there now. Raises: PolicyError."""
        for supervisor in self._nodes.supervisors().values():
            await supervisor.publish_policy(version, policy, bundle)

    async def agents_up(self, version: str) -> None:
        """Nothing leads that has no agents."""

        async def each(node: str) -> None:
            supervisor = self._nodes.get(node)
            while True:
                told = await supervisor.stats()
                for key, why in told.agents_given_up.items():
                    if key.startswith(f"{version}/"):
                        raise PolicyError(f"policy {version}: agent {key.partition('/')[2]} does not run: {why}")
                mine = [row for row in told.hosts if row.policy == version]
                if mine and all(row.up for row in mine):
                    return
                await asyncio.sleep(POLL_S)

        try:
            async with asyncio.timeout(HOSTS_S):
                await asyncio.gather(*(each(node) for node in self._nodes.names() if node not in self._nodes.silent))
        except TimeoutError:
            raise PolicyError(
                f"policy {version}: its agents do not run after {HOSTS_S:g} s; it does not lead"
            ) from None

    async def policies(self) -> PolicyList:
        """What is published."""
        return self._wanted.table(self._rollouts.uses(), await self.live_versions())

    async def bundle(self, asked: str) -> PublishedBundle:
        """One version."""
        found = self._wanted.version(asked)
        return PublishedBundle(found.name, found.version, found.policy, found.bundle)

    async def withdraw_policy(self, version: str, by: Principal = NOBODY) -> None:
        """A version is forgotten."""
        if version not in self._wanted.versions:
            raise self._wanted.unknown(version)
        name = self._wanted.versions[version].name
        if self._wanted.leads.get(name) == version:
            raise CallerFault(f"{version} leads new calls of {name}; let another lead first")
        live = (await self.live_versions()).get(version, 0)
        use = self._rollouts.uses().get(version)
        if live or use:
            user = f"{live} live calls" if live else f"the rollout of {name} ({use})"
            raise CallerFault(f"{version} is in use by {user}; withdraw it when they are over")
        await self._wanted.forget(version)
        log.info("a policy version is withdrawn", extra={"policy_version": version, "pii_by": by.text})
        await self.unoffer(version)

    async def unoffer(self, version: str) -> None:
        """No node offers it any more; calls that go on under it keep it."""
        await self._nodes.everywhere(lambda supervisor: supervisor.withdraw_policy(version))

    def led(self, request: CallRequest) -> CallRequest:
        """A request for a call with the version that leads it: by name, by rollout, or pinned."""
        return self._rollouts.assign(request, self._wanted.resolve(request.policy))

    def unknown(self, request: CallRequest) -> UnknownPolicy | MemoryAway:
        """What is said of a request whose policy no node knows."""
        if not self._wanted.recalled:
            return MemoryAway("what leads is not known: the cluster's memory could not be read yet; try again")
        return self._wanted.unknown(request.policy)

    async def live_versions(self) -> Counter[str]:
        """Version -> its live calls, on all nodes."""
        told = await self._nodes.everywhere(lambda supervisor: supervisor.calls(live=True))
        return Counter(row.policy_version for each in told.values() for row in each.calls)

    async def _used(self) -> set[str]:
        return set(await self.live_versions()) | set(self._rollouts.uses())

    # --- what rollouts need -----------------------------------------------------------------------------------------

    async def arms(self) -> dict[str, ArmReport]:
        """See `rollouts.Fleet`."""
        return await self._nodes.everywhere(lambda supervisor: supervisor.arms())

    async def shadow(self, order: ShadowOrder, after: Mapping[str, tuple[int, int]]) -> dict[str, ShadowReport]:
        """See `shadowing.ShadowFleet`."""
        nodes = self._nodes.supervisors()
        asked = (self._nodes.ask(node, each.shadow(order, *after.get(node, (-1, -1)))) for node, each in nodes.items())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {node: told for node, told in zip(nodes, answers, strict=True) if isinstance(told, ShadowReport)}

    async def unshadow(self, rollout: str) -> None:
        """See `shadowing.ShadowFleet`."""
        await self._nodes.everywhere(lambda supervisor: supervisor.unshadow(rollout))

    # --- rollouts ---------------------------------------------------------------------------------------------------

    async def rollout_start(self, request: RolloutRequest, by: Principal = NOBODY) -> RolloutStatus:
        """A rollout begins."""
        return await self._rollouts.start(request, by)

    async def rollout_order(self, name: str, word: str, by: Principal = NOBODY) -> RolloutStatus:
        """An operator's word."""
        return await self._rollouts.order(name, word, by)

    async def rollouts(self) -> RolloutList:
        """All of them."""
        return RolloutList(tuple(self._rollouts.rows()))

    async def rollout(self, name: str) -> RolloutStatus:
        """One of them."""
        return self._rollouts.status(name)

    async def divergence(self, name: str, after: int = -1, limit: int = 100) -> Divergence:
        """What its shadows have found."""
        return self._rollouts.divergence(name, after, limit)
