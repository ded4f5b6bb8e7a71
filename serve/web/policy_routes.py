"""The API's addresses for policy bundles: one of them, and publishing.

A bundle that is published is unpacked and read here, so that its version is the hash of what came, whatever was said;
none of its code is run here. What is published and what leads is the director's knowledge, kept in the cluster: a
replica of this API keeps nothing, and fetches a bundle that is not on its disk.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path as FilePath

from fastapi import FastAPI
from offhook.actors.contracts.node_operations import PlainPolicy
from offhook.actors.node.bundle_archive import PARCEL_BYTES_MAX, check_signature, folder_of, unpack, unpacked
from offhook.cluster.operations import Published, VersionName
from offhook.policies.core.errors import OffhookError, PolicyError
from pydantic import BaseModel, ConfigDict, Field

from ..bundles.policy_files import Bundle, digests, load
from ..client.control_client import ControlClient
from .principals import AskedBy
from .public_addresses import PublicAddresses


class NewBundle(BaseModel):
    """A bundle as `offhook policy publish` sends it."""

    model_config = ConfigDict(extra="ignore")

    parcel: str = Field(
        max_length=2 * PARCEL_BYTES_MAX, pattern=r"^[0-9a-f]+$", description="actors/node/bundle_archive.py, in hex"
    )
    version: str = Field(max_length=64, description="what the publisher takes it for; the signature is over it")
    signature: str = Field(default="", max_length=128)
    lead: bool = Field(default=False, description="new calls that ask for its name get it")


class ShownPolicy(BaseModel):
    """One version: the policy as it is written, with all its defaults, and its files by digest."""

    name: str
    version: str
    policy: PlainPolicy
    files: dict[str, str]


def add_policies(app: FastAPI, control_client: ControlClient, door: PublicAddresses) -> None:
    """Add the addresses under /v1/policies that do more than pass an operation on."""

    @app.get("/v1/policies/{version}", tags=["policies"])
    async def policy(version: VersionName) -> ShownPolicy:
        """One version: the policy with all its defaults, and its files by digest."""
        told = await control_client.bundle(version)
        files = await asyncio.to_thread(_files, door, told.bundle)
        return ShownPolicy(name=told.name, version=told.version, policy=told.policy, files=files)

    @app.post("/v1/policies", status_code=201, tags=["policies"])
    async def publish(new: NewBundle, by: AskedBy) -> Published:
        """Offer a version to calls on every node. Calls that go on keep theirs."""
        parcel = bytes.fromhex(new.parcel if len(new.parcel) % 2 == 0 else "")
        known = folder_of(parcel, FilePath(door.bundles_dir)).is_dir()
        bundle = await asyncio.to_thread(_received, door, new, parcel)
        try:
            lead = "now" if new.lead else "first"
            return await control_client.publish_policy(bundle.version, bundle.plain(), parcel, lead, by)
        except OffhookError:
            if not known:  # what nobody has taken need not lie here; it is unpacked again when it is sent again
                await asyncio.to_thread(shutil.rmtree, bundle.path, ignore_errors=True)
            raise


def _received(door: PublicAddresses, new: NewBundle, parcel: bytes) -> Bundle:
    """Raises:
    CallerFault: unsigned where a signature is asked for. PolicyError: no bundle, or another than was said.
    """
    if door.publish_key:
        check_signature(door.publish_key, new.version, parcel, new.signature)
    if not door.bundles_dir:
        raise PolicyError("this installation takes no bundles: it has no place to keep them")
    with unpacked(parcel, FilePath(door.bundles_dir)) as folder:
        bundle = load(folder)
        if bundle.version != new.version:
            raise PolicyError(
                f"the bundle is version {bundle.version}, not {new.version}: another offhook has packed it"
            )
    return bundle


def _files(door: PublicAddresses, bundle: str | bytes) -> dict[str, str]:
    """A bundle's files by digest; one that is not on this disk is unpacked from the cluster's copy."""
    if isinstance(bundle, bytes):
        return digests(unpack(bundle, FilePath(door.bundles_dir))) if door.bundles_dir else {}
    return digests(FilePath(bundle)) if bundle and FilePath(bundle).is_dir() else {}
