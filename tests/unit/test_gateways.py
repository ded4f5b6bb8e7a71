"""The gateways of the nodes: one a node, the first of a machine at the port of the settings, and where carriers go."""

from __future__ import annotations

import asyncio

from offhook.cluster.media import Gateways

PORT = 8790


class Started:
    """A gateway that listens; one that was given any free port has another one after its restart."""

    free = 40_000

    def __init__(self, own_port: bool) -> None:
        self.own_port = own_port
        self.stopped = False

    async def ready(self) -> int:
        if self.own_port:
            return PORT
        Started.free += 1
        return Started.free

    async def stop(self) -> None:
        self.stopped = True


def test_nodes_of_one_machine_share_no_port_and_carriers_know_their_host() -> None:
    async def test() -> None:
        started: dict[str, Started] = {}

        def start(node: str, own_port: bool) -> Started:
            started[node] = Started(own_port)
            return started[node]

        gateways = Gateways(start)
        await asyncio.gather(*(gateways.bring_up(node, "10.0.0.1") for node in ("a", "b", "c")))
        assert sorted(each.own_port for each in started.values()) == [False, False, True]
        own, *others = sorted(started, key=lambda node: not started[node].own_port)
        assert await gateways.address(own) == ("", PORT)  # all nodes are one machine: the carrier has found it
        assert (await gateways.address(others[0]))[1] > 40_000
        await gateways.bring_up(own, "10.0.0.1")  # again, after the director's restart
        await gateways.ready()
        await gateways.stop()
        assert all(each.stopped for each in started.values())

    asyncio.run(test())


def test_several_machines_are_told_apart_and_a_lost_one_is_forgotten() -> None:
    async def test() -> None:
        gateways = Gateways(lambda _node, own_port: Started(own_port))
        await gateways.bring_up("a", "10.0.0.1")
        await gateways.bring_up("b", "10.0.0.2")
        assert await gateways.address("b") == ("10.0.0.2", PORT)
        gateways.forget("a")
        assert await gateways.address("b") == ("", PORT)
        assert await gateways.address("a") == ("", 0)

    asyncio.run(test())


def test_without_gateways_there_is_no_address() -> None:
    async def test() -> None:
        gateways = Gateways(None)
        await gateways.bring_up("a", "10.0.0.1")
        assert await gateways.address("a") == ("", 0)

    asyncio.run(test())
