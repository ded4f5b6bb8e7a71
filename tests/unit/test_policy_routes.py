"""Publishing a bundle through the API: it is what came that counts, not what was said of it."""

from __future__ import annotations

import asyncio
import shutil
import zlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgpack
import pytest
from offhook.actors.node.bundle_archive import pack, sign
from offhook.cluster.desired_state import DesiredState, Version
from offhook.cluster.operations import PolicyList, Published, PublishedBundle
from offhook.cluster.state_store import FileMemory
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.principal import Principal
from offhook.serve.bundles import policy_start
from offhook.serve.bundles.policy_files import Bundle, load
from offhook.serve.client.control_client import ControlClient
from offhook.serve.web.api import make_api
from offhook.serve.web.public_addresses import PublicAddresses


class Memory(ControlClient):
    """A switchboard that only takes policies, and keeps them as the director does."""

    def __init__(self, folder: Path) -> None:
        self.published: list[tuple[str, str, bytes]] = []
        self.wanted = DesiredState(FileMemory(folder))

    async def publish_policy(
        self, version: str, policy: Mapping[str, Any], parcel: bytes, lead: str, by: Principal
    ) -> Published:
        self.published.append((version, policy["name"], parcel))
        await self.wanted.keep(Version(version, dict(policy), parcel, by=by), set())
        name = policy["name"]
        leads = self.wanted.leads.get(name) == version
        if lead == "now" or name not in self.wanted.leads:
            leads = await self.wanted.lead(name, version)
        return Published(name, version, leads)

    async def policies(self) -> PolicyList:
        return self.wanted.table({}, {})

    async def bundle(self, asked: str) -> PublishedBundle:
        found = self.wanted.version(asked)
        return PublishedBundle(found.name, found.version, found.policy, found.bundle)

    async def withdraw_policy(self, version: str, by: Principal) -> None:
        self.withdrawn_by = by
        await self.wanted.forget(version)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    policy_start.write(tmp_path / "my-desk")
    return load(tmp_path / "my-desk")


def run(tmp_path: Path, test: Callable[[httpx.AsyncClient, Memory], Awaitable[None]], **options: Any) -> None:
    memory = Memory(tmp_path / "memory")
    door = PublicAddresses("a secret", 8790, bundles_dir=str(tmp_path / "kept"), **options)

    async def main() -> None:
        transport = httpx.ASGITransport(make_api(memory, door), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://voice.example") as client:
            await test(client, memory)

    asyncio.run(main())


def sent(bundle: Bundle, **changes: Any) -> dict[str, Any]:
    return {"name": bundle.name, "version": bundle.version, "parcel": pack(bundle.path).hex(), **changes}


def test_a_bundle_is_offered_and_leads_only_when_asked(tmp_path: Path, bundle: Bundle) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        answer = await client.post("/v1/policies", json=sent(bundle))
        assert (answer.status_code, answer.json()["leads"]) == (201, True), "nobody had the name"
        assert memory.published == [(bundle.version, "my-desk", pack(bundle.path))]
        agent = bundle.path / "agents" / "guide.py"
        agent.write_text(agent.read_text() + "\n# later\n")
        later = load(bundle.path)
        assert (await client.post("/v1/policies", json=sent(later))).json()["leads"] is False
        rows = {row["name"]: row for row in (await client.get("/v1/policies")).json()["policies"]}
        row = rows["my-desk"]
        assert (row["version"], row["others"]) == (bundle.version, [later.version])
        assert [each["status"] for each in row["versions"]] == ["unused", "leading"]
        shutil.rmtree(tmp_path / "kept")  # another replica, on another disk: it fetches the bundle from the cluster
        assert (await client.post("/v1/policies", json=sent(later, lead=True))).json()["leads"] is True
        told = (await client.get("/v1/policies/my-desk")).json()
        assert (told["version"], set(told["files"])) == (later.version, {"agents/guide.py"})
        assert (await client.get(f"/v1/policies/{bundle.version}")).json()["version"] == bundle.version
        assert (await client.get("/v1/policies/nobody")).status_code == 422  # as for calls that ask for it
        assert (await client.delete(f"/v1/policies/{bundle.version}")).status_code == 204
        assert (await client.get(f"/v1/policies/{bundle.version}")).status_code == 422

    run(tmp_path, test)


def test_what_is_not_what_it_is_said_to_be_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        number = zlib.compress(msgpack.packb([["policy.yaml", 30_000_000]])).hex()
        no_policy = zlib.compress(msgpack.packb([["agents/a.py", b""]])).hex()
        files = ("00ff", "0", number, no_policy)
        for body in (sent(bundle, version="0" * 12), *(sent(bundle, parcel=parcel) for parcel in files)):
            answer = await client.post("/v1/policies", json=body)
            assert 400 <= answer.status_code < 500, answer.text
        assert memory.published == []
        assert not (tmp_path / "kept").exists() or list((tmp_path / "kept").iterdir()) == []

    run(tmp_path, test)


def test_a_bundle_that_the_cluster_refuses_leaves_no_folder_here(tmp_path: Path, bundle: Bundle) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        async def refuse(*_: Any) -> dict[str, Any]:
            raise PolicyError("too many are kept")

        taken, memory.publish_policy = memory.publish_policy, refuse  # type: ignore[method-assign]
        assert (await client.post("/v1/policies", json=sent(bundle))).status_code == 409
        assert list((tmp_path / "kept").iterdir()) == []
        memory.publish_policy = taken  # type: ignore[method-assign]
        assert (await client.post("/v1/policies", json=sent(bundle))).status_code == 201
        memory.publish_policy = refuse  # type: ignore[method-assign]
        assert (await client.post("/v1/policies", json=sent(bundle))).status_code == 409
        assert len(list((tmp_path / "kept").iterdir())) == 1  # it was here before, and is in use

    run(tmp_path, test)


def test_where_a_key_is_set_only_signed_bundles_are_taken(tmp_path: Path, bundle: Bundle) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        for signature in ("", sign("other", bundle.version, pack(bundle.path))):
            answer = await client.post("/v1/policies", json=sent(bundle, signature=signature))
            assert 400 <= answer.status_code < 500 and "OFFHOOK_PUBLISH_KEY" in answer.text
        good = sign("key", bundle.version, pack(bundle.path))
        assert (await client.post("/v1/policies", json=sent(bundle, signature=good))).status_code == 201
        assert len(memory.published) == 1

    run(tmp_path, test, publish_key="key")
