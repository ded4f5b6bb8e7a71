"""The gateway as a Ray actor (one a node, detached, restarted by Ray) and the reference to it. Its work: `gateway.py`.

It listens as soon as it is constructed, so that a restarted one is reachable at the same port without being told. It is
a resident of its node: over that link the supervisor tells it of calls that have another owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import ray
from offhook.actors.contracts.message import read
from offhook.actors.contracts.node_messages import TO_GATEWAY_FROM_SUPERVISOR, Owner
from offhook.actors.contracts.operations import Answering
from offhook.actors.link.link import Array
from offhook.actors.link.resident import Resident
from offhook.actors.process.raylet import Raylet
from offhook.actors.refs.handles import NAMESPACE, ActorRef, on_node, start_lasting, this_node
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.core.errors import OffhookError

from ..carriers import registry
from ..client.cluster_client import ClusterClient
from ..contracts.carrier_choice import CarrierChoice
from ..contracts.claim import Claim
from ..contracts.errors import StartFault
from .gateway import Gateway
from .gateway_operations import GatewayFigures, GatewayOperations

GATEWAY = "gateway"  # the name of a node's gateway: gateway:<node id>
LISTEN_RETRY_S = 0.1  # a predecessor's port is free a moment after its death
LISTEN_WITHIN_S = 10.0
RESIDE_AGAIN_S = 1.0
GOODBYE_MS = 200  # for carriers to answer one before the process ends; who is further away sees its socket close
LOOK_MS = 5

log = logging.getLogger(__name__)


class GatewayActor(GatewayOperations, Answering):
    """One node's gateway. All methods run on its one event loop."""

    def __init__(self, host: str, port: int, secret: str, carriers: Sequence[CarrierChoice]) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        self._control_client = ClusterClient()
        self._gateway = Gateway(secret, self._claim, registry.load(carriers))
        self._leaves = False  # when the node is gone: its calls can go on on another
        Raylet().follow(self._leave, lambda: self._leaves)
        self._listening = asyncio.get_running_loop().create_task(self._listen(host, port))
        self._residing = asyncio.get_running_loop().create_task(self._reside())

    async def ready(self) -> int:
        """Waits for the port."""
        await self._control_client.prepare()
        return await asyncio.shield(self._listening)

    async def stats(self) -> GatewayFigures:
        """Its figures."""
        return self._gateway.stats()

    async def stop(self) -> None:
        """End the lines."""
        self._listening.cancel()
        self._residing.cancel()
        await self._gateway.stop()

    async def _claim(self, call: str, lost_epoch: int = 0) -> Claim:
        """Where the call's owner takes its line; see `CallOperations.claim`."""
        owner = await self._control_client.claim(call, lost_epoch)
        return Claim(owner.endpoint, owner.token, owner.epoch)

    async def _leave(self) -> None:
        """This node is gone: close the carriers' streams, so that they ask where their calls go on."""
        await self.stop()
        for _ in range(GOODBYE_MS // LOOK_MS):
            if not self._gateway.sockets:
                return
            await asyncio.sleep(LOOK_MS / 1_000)

    async def _reside(self) -> None:
        """Keep the link to this node's supervisor. Without it calls are found too, some milliseconds later."""
        node = this_node()
        name = f"{GATEWAY}:{node[:8]}"
        while True:
            try:
                supervisor = await asyncio.to_thread(SupervisorRef.find, node)
                door = await supervisor.enlist("gateway", name)
                self._leaves = door.leaves
                resident = Resident(
                    door.endpoint,
                    door.token,
                    "gateway",
                    name,
                    node=node,
                    own_endpoint="",
                    running=lambda: list(self._gateway.lines),
                    on_message=self._told,
                )
                log.info("this gateway is no resident any more: %s", await resident.stay())
            except OffhookError as fault:
                log.info("no supervisor on this node yet: %s", fault)
            await asyncio.sleep(RESIDE_AGAIN_S)

    def _told(self, message: Array) -> None:
        match read(message, TO_GATEWAY_FROM_SUPERVISOR):
            case Owner(call, epoch, endpoint, token):
                self._gateway.owned(call, Claim(endpoint, token, epoch))

    async def _listen(self, host: str, port: int) -> int:
        deadline = asyncio.get_running_loop().time() + LISTEN_WITHIN_S
        while True:
            try:
                return await self._gateway.start(host, port)
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StartFault(f"the media port {host}:{port} cannot be used: {error}") from error
            await asyncio.sleep(LISTEN_RETRY_S)


@dataclass(frozen=True, slots=True)
class GatewayStart:
    """Starts gateways, as the director asks for them (`cluster/media.py`): what all of them are told."""

    host: str
    port: int
    secret: str = field(repr=False)
    carriers: tuple[CarrierChoice, ...]

    def __call__(self, node: str, own_port: bool) -> GatewayRef:
        """The gateway of a node, at the port of the settings, or at any free one."""
        return GatewayRef.start(node, self.host, self.port if own_port else 0, self.secret, self.carriers)


class GatewayRef(ActorRef, GatewayOperations):
    """A node's gateway. Each operation may raise LinkLost."""

    @classmethod
    def start(cls, node: str, host: str, port: int, secret: str, carriers: tuple[CarrierChoice, ...]) -> GatewayRef:
        """The gateway of `node`, started where there is none. Blocks for a round trip to the control store."""
        name = f"{GATEWAY}:{node}"
        return cls(start_lasting(GatewayActor, name, on_node(node), host, port, secret, carriers), name)

    @classmethod
    def find(cls, node: str) -> GatewayRef | None:
        """The gateway of `node`; None where there is none."""
        try:
            return cls(ray.get_actor(f"{GATEWAY}:{node}", namespace=NAMESPACE), f"{GATEWAY}:{node}")
        except ValueError:
            return None

    async def stop(self) -> None:
        """Close every line and end the process."""
        await super().stop()
        self.kill()
