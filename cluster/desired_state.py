"""What is wanted of the cluster: policy versions and which of them lead, engines, cordoned nodes. Written, then done.

The director's own memory of it, kept in the cluster's (`state_store.py`), so that it outlives the director, the head
and every replica of the API. A version is kept with the parcel of its bundle: a node that joins gets it from here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgpack
from offhook.actors.contracts.errors import UnknownPolicy
from offhook.actors.contracts.node_operations import EngineChoice
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.principal import NOBODY, Principal

from .operations import PolicyList, PolicySummary, VersionSummary
from .state_store import Memory

OTHERS_MAX = 10  # versions that do not lead; each holds a process for every agent on every node
POLICY = "policy/"
LEADS = "leads"
ENGINES = "engines"
CORDONED = "cordoned"


@dataclass(frozen=True, slots=True)
class Version:
    """One published version. `bundle`: its parcel; text = a folder that every node has; "" = no files of its own."""

    version: str
    policy: Mapping[str, Any]
    bundle: bytes | str
    published_unix_ms: int = 0
    by: Principal = NOBODY  # who has published it

    @property
    def name(self) -> str:
        """The policy's name, which its versions share."""
        return str(self.policy.get("name", ""))

    @property
    def size_bytes(self) -> int:
        """Of its parcel."""
        return len(self.bundle)


class DesiredState:
    """Everything that was asked of this cluster and still holds."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.versions: dict[str, Version] = {}
        self.leads: dict[str, str] = {}  # policy name -> the version that new calls get
        self.started: dict[str, str] = {}  # policy name -> the version that `offhook up` brought last
        self.default = ""  # the name that new calls get which ask for none
        self.engines: tuple[EngineChoice, EngineChoice] | None = None
        self.engine_places: list[dict[str, str]] = []  # where their replicas listened when it was last written
        self.cordoned: dict[str, Principal] = {}  # node -> who has cordoned it
        self.recalled = False

    async def recall(self) -> None:
        """Read everything back. Raises: MemoryAway."""
        versions = []
        for name in await self.memory.names():
            blob = await self.memory.get(name)
            if blob is None:
                continue
            if name.startswith(POLICY):
                policy, bundle, published_unix_ms, *by = msgpack.unpackb(blob)
                who = Principal.of(by[0]) if by else NOBODY
                versions.append(Version(name.removeprefix(POLICY), policy, bundle, published_unix_ms, who))
            elif name == LEADS:
                told = json.loads(blob)
                self.leads, self.started, self.default = told["leads"], told["started"], told["default"]
            elif name == ENGINES:
                recognizer, synthesizer, *places = json.loads(blob)
                self.engines = (recognizer, synthesizer)
                self.engine_places = places[0] if places else []
            elif name == CORDONED:
                told = json.loads(blob)  # a list of nodes, as it was kept before who had cordoned them
                self.cordoned = {node: Principal.of(told[node] if isinstance(told, dict) else "") for node in told}
        for each in sorted(versions, key=lambda each: each.published_unix_ms):
            self.versions.setdefault(each.version, each)
        self.recalled = True

    # --- policies ---------------------------------------------------------------------------------------------------

    def resolve(self, asked: str) -> str:
        """The version for a call that asks for a policy's name, a version, or nothing; "" = the node's own default.

        What is not known here is handed on as it is: a node may have been given it directly.
        """
        name = asked or self.default
        return self.leads.get(name, name)

    def version(self, asked: str) -> Version:
        """A version by its name or its policy's. Raises: UnknownPolicy."""
        found = self.versions.get(self.resolve(asked))
        if found is None:
            raise self.unknown(asked)
        return found

    def unknown(self, asked: str) -> UnknownPolicy:
        """The error for a policy that nobody has published."""
        known = ", ".join(sorted(self.leads)) or "none"
        return UnknownPolicy(f"policy {asked!r} is not published here; published: {known}")

    async def keep(self, version: Version, used: Collection[str]) -> list[str]:
        """Keep a version; the oldest that nobody uses go where there are too many: these are returned.

        Raises:
            PolicyError: all that are kept are used. MemoryAway.
        """
        others = [each for each in self.versions if each not in (version.version, *self.leads.values())]
        gone = []
        for old in [each for each in others if each not in used]:
            if len(others) < OTHERS_MAX:
                break
            await self.forget(old)
            others.remove(old)
            gone.append(old)
        if len(others) >= OTHERS_MAX:
            raise PolicyError(
                f"{OTHERS_MAX} versions that do not lead are kept, and all are in use; end a rollout or a call that"
                " uses one, then: offhook policy withdraw VERSION"
            )
        version = replace(version, published_unix_ms=time.time_ns() // 1_000_000)
        written = [version.policy, version.bundle, version.published_unix_ms, version.by.text]
        await self.memory.put(POLICY + version.version, msgpack.packb(written))
        self.versions.pop(version.version, None)
        self.versions[version.version] = version
        return gone

    async def forget(self, version: str) -> None:
        """Keep it no more. Raises: MemoryAway."""
        await self.memory.drop(POLICY + version)
        self.versions.pop(version, None)

    async def lead(self, name: str, version: str, *, default: bool = False, started: bool = False) -> bool:
        """New calls that ask for `name` get `version`; whether they do.

        Args:
            default: calls that ask for no policy get this name.
            started: it is what `offhook up` was given. Where that is what it was given the last time too, what has led
                since then goes on to lead: a restart takes nothing back that was promoted.
        """
        kept = started and self.started.get(name) == version and self.leads.get(name, "") in self.versions
        leads = self.leads if kept else {**self.leads, name: version}
        names = {**self.started, name: version} if started else self.started
        default_name = name if default or not self.default else self.default
        await self.memory.put(LEADS, json.dumps({"leads": leads, "started": names, "default": default_name}).encode())
        self.leads, self.started, self.default = leads, names, default_name
        return leads[name] == version

    def table(self, used: Mapping[str, str], calls: Mapping[str, int]) -> PolicyList:
        """What is published, by name.

        Args:
            used: version -> what a rollout does with it ("shadow", "canary", ...).
            calls: version -> its live calls.
        """
        rows = []
        for name in sorted({each.name for each in self.versions.values()} | set(self.leads)):
            leading = self.leads.get(name, "")
            mine = [each for each in self.versions.values() if each.name == name]
            versions = tuple(
                VersionSummary(
                    version=each.version,
                    status=_status(each.version, leading, used, calls),
                    calls=calls.get(each.version, 0),
                    bytes=each.size_bytes,
                    published_unix_ms=each.published_unix_ms,
                    published_by=each.by.text,
                )
                for each in reversed(mine)
            )
            others = tuple(each.version for each in mine if each.version != leading)
            rows.append(PolicySummary(name, leading, others, versions))
        rows.sort(key=lambda row: row.name != self.default)
        return PolicyList(self.default, tuple(rows))

    # --- the rest ---------------------------------------------------------------------------------------------------

    async def keep_engines(
        self, recognizer: EngineChoice, synthesizer: EngineChoice, places: list[dict[str, str]]
    ) -> None:
        """Which speech engines calls use, and where those are. Raises: MemoryAway."""
        await self.memory.put(ENGINES, json.dumps([recognizer, synthesizer, places]).encode())
        self.engines, self.engine_places = (recognizer, synthesizer), places

    async def cordon(self, node: str, on: bool, present: Collection[str], by: Principal = NOBODY) -> None:
        """A node takes no new calls, or takes them again; nodes that are gone are forgotten. Raises: MemoryAway."""
        cordoned = {each: who for each, who in self.cordoned.items() if each in present and each != node}
        if on:
            cordoned[node] = by
        await self.memory.put(CORDONED, json.dumps({each: who.text for each, who in cordoned.items()}).encode())
        self.cordoned = cordoned


def _status(version: str, leading: str, used: Mapping[str, str], calls: Mapping[str, int]) -> str:
    if version == leading:
        return "leading"
    return used.get(version) or ("live" if calls.get(version) else "unused")
