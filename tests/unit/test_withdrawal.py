"""Versions that are taken off a node's shelf, and the answers of several nodes to one order to swap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost, UnknownPolicy
from offhook.actors.contracts.node_operations import SwapOutcome
from offhook.actors.contracts.setup import agent_tokens
from offhook.actors.node.bundle_archive import pack
from offhook.actors.node.catalog import Catalog
from offhook.actors.node.swaps import merged
from offhook.policies.core.errors import CallerFault

POLICY: dict[str, Any] = {"name": "test", "agents": {"closer": {"code": "agents/one.py:One"}}}


def catalog(folder: Path, *versions: str) -> Catalog:
    found = Catalog(folder / "memory.json")
    for version in versions:
        source = folder / f"of-{version}"
        (source / "agents").mkdir(parents=True, exist_ok=True)
        (source / "agents" / "one.py").write_text(f"VERSION = {version!r}")
        found.publish(version, POLICY, pack(source))
    return found


def test_a_withdrawn_version_is_for_no_new_call_and_stays_for_those_that_it_leads(tmp_path: Path) -> None:
    found = catalog(tmp_path, "v1", "v2")
    found.withdraw("v1")
    with pytest.raises(UnknownPolicy, match="known: v2"):
        found.policy("v1")
    assert found.plain("v1")["name"] == "test"
    assert "v1" in found.policies
    again = Catalog(tmp_path / "memory.json")
    again.recall()
    assert again.withdrawn == {"v1"}
    found.publish("v1", POLICY, "")
    assert found.policy("v1")


def test_a_withdrawn_default_gives_way_to_the_latest_that_is_left(tmp_path: Path) -> None:
    found = catalog(tmp_path, "v1", "v2", "v3")
    found.withdraw("v3")
    assert found.default == "v2"
    found.withdraw("v2")
    found.withdraw("v1")
    found.withdraw("never was")
    assert found.default == ""


def test_what_nobody_uses_is_forgotten_with_its_folder(tmp_path: Path) -> None:
    found = catalog(tmp_path, "v1", "v2")
    folder = Path(found.bundle("v1"))
    assert folder.is_dir()
    found.withdraw("v1")
    found.drop("v1")
    assert not folder.exists()
    assert Path(found.bundle("v2")).is_dir()
    assert list(found.policies) == ["v2"] and not found.withdrawn


def test_a_folder_that_two_versions_share_stays_for_the_other(tmp_path: Path) -> None:
    found = catalog(tmp_path, "v1")
    parcel = pack(tmp_path / "of-v1")
    found.publish("v2", POLICY, parcel)
    found.withdraw("v1")
    found.drop("v1")
    assert Path(found.bundle("v2")).is_dir()


def test_the_answers_of_nodes_add_up_and_a_silent_one_is_told() -> None:
    one = SwapOutcome(asked=3, swapped=1, kept=1, refused={"c3": "agent closer fails: ValueError"}, seated_ms=40)
    two = SwapOutcome(asked=1, swapped=1, seated_ms=1_900)
    told = merged({"a" * 56: one, "b" * 56: two, "c" * 56: LinkLost("it is away")})
    refused = {"c3": "agent closer fails: ValueError", f"node {'c' * 8}": "it is away"}
    assert told == SwapOutcome(asked=4, swapped=2, kept=1, refused=refused, seated_ms=1_900)
    with pytest.raises(CallerFault):
        merged({"a": one, "b": CallerFault("no such deadline")})


def test_two_versions_agents_have_tokens_of_their_own_and_so_have_two_owners() -> None:
    tokens = [
        token
        for lease, version in (("T1", "v1"), ("T1", "v2"), ("T2", "v1"))
        for token in agent_tokens(lease, version, ("booking", "closing")).values()
    ]
    assert len(set(tokens)) == 6
