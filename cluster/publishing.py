"""The director's policies: what is published, what leads, what may go; and rollouts, which lead from one to the next.

One half of the director (`director.py` has the calls and the nodes), and the same half of the reference to it. What is
wanted is written first (`desired_state.py`) and done then, so a director that dies in between does it after its return.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from offhook.actors.contracts.errors import UnknownPolicy
from offhook.actors.refs.handles import ActorRef
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.core.policy import Policy
from offhook.policies.core.principal import NOBODY, Principal
from pydantic import ValidationError

from .desired_state import DesiredState, Version
from .nodes import Nodes
from .rollouts import Rollouts
from .state_store import MemoryAway

log = logging.getLogger(__name__)

HOSTS_S = 20.0  # for the agents' processes of a version; each takes about 2 s, five deaths give an agent up
POLL_S = 0.1


class Publishing:
    """See `director.Director`, which sets the parts."""

    _nodes: Nodes
    _wanted: DesiredState
    _rollouts: Rollouts

    async def publish_policy(
        self,
        version: str,
        policy: dict[str, Any],
        bundle: str | bytes = "",
        lead: str = "first",
        by: Principal = NOBODY,
    ) -> dict[str, Any]:
        """Offer a policy version to new calls on every node, now and on those that join.

        Args:
            bundle: its archive (`actors/node/bundle_archive.py`), or a folder that every node has; "" = stock agents.
            lead: "first" = new calls that ask for its name get it where nobody leads that name; "now" = they do in any
                case, once its agents run; "start", "default" = as `DesiredState.lead` says of what `offhook up` brings.

        Returns:
            {name, version, leads}.

        Raises:
            PolicyError: it is none, its agents cannot be loaded, or too many are kept. MemoryAway: nothing was done.
            CallerFault: it shall lead while a rollout decides who does.
        """
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
        return {"name": name, "version": version, "leads": leads}

    async def offer(self, version: str, policy: dict[str, Any], bundle: str | bytes) -> None:
        """Give a version to every node that is there now. Raises: PolicyError."""
        for supervisor in self._nodes.supervisors().values():
            await supervisor.publish_policy(version, policy, bundle)

    async def agents_up(self, version: str) -> None:
        """Waits until every node that answers has a process for each agent of a version.

        Raises:
            PolicyError: an agent cannot be loaded; the message has its reason. Nothing leads that has no agents.
        """

        async def each(node: str) -> None:
            supervisor = self._nodes.get(node)
            while True:
                told = await supervisor.stats()
                for key, why in told["agents_given_up"].items():
                    if key.startswith(f"{version}/"):
                        raise PolicyError(f"policy {version}: agent {key.partition('/')[2]} does not run: {why}")
                mine = [row for row in told["hosts"] if row["policy"] == version]
                if mine and all(row["up"] for row in mine):
                    return
                await asyncio.sleep(POLL_S)

        try:
            async with asyncio.timeout(HOSTS_S):
                await asyncio.gather(*(each(node) for node in self._nodes.names() if node not in self._nodes.silent))
        except TimeoutError:
            raise PolicyError(
                f"policy {version}: its agents do not run after {HOSTS_S:g} s; it does not lead"
            ) from None

    async def policies(self) -> dict[str, Any]:
        """What is published: see `DesiredState.table`."""
        return self._wanted.table(self._rollouts.uses(), await self.live_versions())

    async def bundle(self, asked: str) -> dict[str, Any]:
        """One version by its name or its policy's: {name, version, policy, bundle}. Raises: UnknownPolicy."""
        found = self._wanted.version(asked)
        return {"name": found.name, "version": found.version, "policy": found.policy, "bundle": found.bundle}

    async def withdraw_policy(self, version: str, by: Principal = NOBODY) -> None:
        """Offer a version no more, and forget it.

        Raises:
            UnknownPolicy. CallerFault: it leads, a rollout or a live call uses it.
        """
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
        await self._nodes.everywhere(lambda supervisor: supervisor.ask("withdraw_policy", version))

    def led(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A request for a call with the version that leads it: by name, by rollout, or pinned."""
        return self._rollouts.assign(request, self._wanted.resolve(str(request.get("policy") or "")))

    def unknown(self, request: Mapping[str, Any]) -> UnknownPolicy | MemoryAway:
        """What is said of a request whose policy no node knows."""
        if not self._wanted.recalled:
            return MemoryAway("what leads is not known: the cluster's memory could not be read yet; try again")
        return self._wanted.unknown(str(request.get("policy") or ""))

    async def live_versions(self) -> Counter[str]:
        """Version -> its live calls, on all nodes."""
        told = await self._nodes.everywhere(lambda supervisor: supervisor.calls())
        return Counter(str(row["policy_version"]) for rows in told.values() for row in rows if row["live"])

    async def _used(self) -> set[str]:
        return set(await self.live_versions()) | set(self._rollouts.uses())

    # --- what rollouts need -----------------------------------------------------------------------------------------

    async def arms(self) -> dict[str, dict[str, Any]]:
        """See `rollouts.Fleet`."""
        return await self._nodes.everywhere(lambda supervisor: supervisor.ask("arms"))

    async def shadow(self, order: dict[str, Any], after: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, Any]]:
        """See `shadowing.ShadowFleet`."""
        nodes = self._nodes.supervisors()
        asked = (
            self._nodes.ask(node, each.ask("shadow", order, *after.get(node, (-1, -1)))) for node, each in nodes.items()
        )
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {node: told for node, told in zip(nodes, answers, strict=True) if isinstance(told, dict)}

    async def unshadow(self, rollout: str) -> None:
        """See `shadowing.ShadowFleet`."""
        await self._nodes.everywhere(lambda supervisor: supervisor.ask("unshadow", rollout))

    # --- rollouts ---------------------------------------------------------------------------------------------------

    async def rollout_start(self, asked: dict[str, Any], by: Principal = NOBODY) -> dict[str, Any]:
        """See `Rollouts.start`."""
        return await self._rollouts.start(asked, by)

    async def rollout_order(self, name: str, word: str, by: Principal = NOBODY) -> dict[str, Any]:
        """See `Rollouts.order`."""
        return await self._rollouts.order(name, word, by)

    async def rollout_list(self) -> list[dict[str, Any]]:
        """Every rollout that is remembered, the newest first."""
        return self._rollouts.rows()

    async def rollout_status(self, name: str) -> dict[str, Any]:
        """See `Rollouts.status`."""
        return self._rollouts.status(name)

    async def rollout_divergence(self, name: str, after: int = -1, limit: int = 100) -> dict[str, Any]:
        """See `Rollouts.divergence`."""
        return self._rollouts.divergence(name, after, limit)


class PublishingRef(ActorRef):
    """The director, as far as policies go."""

    async def publish_policy(
        self,
        version: str,
        policy: Mapping[str, Any],
        bundle: str | bytes = "",
        lead: str = "first",
        by: Principal = NOBODY,
    ) -> dict[str, Any]:
        """See `Publishing.publish_policy`."""
        return dict(await self.ask("publish_policy", version, dict(policy), bundle, lead, by))

    async def policies(self) -> dict[str, Any]:
        """See `Publishing.policies`."""
        return dict(await self.ask("policies"))

    async def bundle(self, asked: str) -> dict[str, Any]:
        """See `Publishing.bundle`."""
        return dict(await self.ask("bundle", asked))

    async def withdraw_policy(self, version: str, by: Principal = NOBODY) -> None:
        """See `Publishing.withdraw_policy`."""
        await self.ask("withdraw_policy", version, by)

    async def rollout_start(self, asked: Mapping[str, Any], by: Principal = NOBODY) -> dict[str, Any]:
        """See `Rollouts.start`."""
        return dict(await self.order("rollout_start", dict(asked), by))

    async def rollout_order(self, name: str, word: str, by: Principal = NOBODY) -> dict[str, Any]:
        """See `Rollouts.order`."""
        return dict(await self.order("rollout_order", name, word, by))

    async def rollouts(self) -> list[dict[str, Any]]:
        """Every rollout that is remembered, the newest first."""
        return list(await self.ask("rollout_list"))

    async def rollout(self, name: str) -> dict[str, Any]:
        """See `Rollouts.status`."""
        return dict(await self.ask("rollout_status", name))

    async def divergence(self, name: str, after: int = -1, limit: int = 100) -> dict[str, Any]:
        """See `Rollouts.divergence`."""
        return dict(await self.ask("rollout_divergence", name, after, limit))
