"""A node's shadow hosts as its supervisor holds them: started where they are missing, asked, ended.

The reference side of `shadows/shadow_host.py`; like `actors/refs` it touches actor handles, and nothing else here does.
It is not there, because it stands above what it starts and the catalog that it reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from typing import Any

import ray
from offhook.policies.core.errors import CallerFault
from ray.exceptions import ActorUnavailableError, RayActorError

from ..contracts.node_operations import ShadowOrder, ShadowReport
from ..contracts.operations import read
from ..refs.handles import NAMESPACE, on_node
from ..shadows.shadow_host import ShadowHost
from .catalog import Catalog

ANSWER_S = 1.0
HOSTS_MAX = 4  # rollouts in shadow at one time; each is a process of some 80 MB


class ShadowRefs:
    """The shadow hosts of one node, by rollout."""

    def __init__(self, node: str, catalog: Catalog) -> None:
        self._node = node
        self._catalog = catalog
        self._hosts: dict[str, Any] = {}
        self._asked: dict[str, asyncio.Future[Any]] = {}  # at most one question to each at a time

    async def ask(self, order: ShadowOrder, after_row: int, after_trial: int) -> ShadowReport:
        """The report of a rollout's shadows here; they are started where they are not.

        Raises:
            UnknownPolicy: the version is not offered here. CallerFault: too many rollouts.
        """
        rollout, version = order.rollout, order.version
        self._catalog.policy(version)
        if rollout not in self._hosts:
            if len(self._hosts) >= HOSTS_MAX:
                raise CallerFault(f"{HOSTS_MAX} rollouts are in shadow on this node; let one of them go on or end")
            whole = {**asdict(order), "policy": self._catalog.plain(version), "bundle": self._catalog.bundle(version)}
            self._hosts[rollout] = await asyncio.to_thread(self._start, rollout, whole)
        if rollout not in self._asked:
            report = self._hosts[rollout].report.remote(after_row, after_trial)
            self._asked[rollout] = asyncio.wrap_future(report.future())
        await asyncio.wait({self._asked[rollout]}, timeout=ANSWER_S)
        if not self._asked[rollout].done():
            return ShadowReport()  # it starts, or is busy: the question stands
        try:
            told: ShadowReport = read(ShadowReport, self._asked.pop(rollout).result(), f"shadows of {rollout}")
        except ActorUnavailableError:
            return ShadowReport()
        except RayActorError:
            del self._hosts[rollout]  # another is started at the next question
            return ShadowReport()
        return told

    def end(self, rollout: str) -> None:
        """Let a rollout's shadows leave their calls. Blocks for a round trip to the control store."""
        self._hosts.pop(rollout, None)
        self._asked.pop(rollout, None)
        with contextlib.suppress(Exception):
            ray.kill(ray.get_actor(self._name(rollout), namespace=NAMESPACE), no_restart=True)

    def end_all(self) -> None:
        """As `end`, of all that were started."""
        for rollout in tuple(self._hosts):
            self.end(rollout)

    def _start(self, rollout: str, order: dict[str, Any]) -> Any:
        options: dict[str, Any] = {
            "name": self._name(rollout),
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "num_cpus": 0,
            "max_restarts": 0,
            "enable_task_events": False,
            **on_node(self._node),
        }
        return ray.remote(ShadowHost).options(**options).remote(self._node, order)

    def _name(self, rollout: str) -> str:
        return f"shadow:{self._node}:{rollout}"
