"""What a node offers to new calls: policy versions and speech engines. Remembered in a file, for the supervisor's next
life; calls that are live carry their own copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import PolicyError
from offhook.policies.core.policy import Policy

from ..agents.bundle import release
from ..contracts.errors import ProtocolFault, UnknownPolicy
from ..contracts.sent_policy import sent_policy
from ..contracts.setup import Engines
from ..engines import engines as speech
from ..engines.engine_places import KINDS, RECOGNIZER, SYNTHESIZER, Place, choose
from .bundle_archive import unpacked

VERSION_CHARS_MAX = 100
CLIPS = "clips"  # the folder of a bundle with its recordings


class Catalog:
    """Policy versions by name, the default one, and the engines. The latest version published is the default.

    `machine`: `clock.boot`; engines of the same one are reached by their Unix sockets.
    """

    def __init__(self, memory: Path, node: str = "", machine: str = "") -> None:
        self._memory = memory
        self._here = (node, machine)
        self._places: list[Place] = []  # of engines' replicas, wherever they run
        self._turn = 0
        self._bundles: dict[str, str] = {}
        self._plain: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, Policy] = {}
        self.default = ""
        self.engines = Engines()
        self.withdrawn: set[str] = set()  # no call begins with them; those that are led by them go on
        self.prices: Mapping[str, Any] = {}

    def publish(self, version: str, policy: Mapping[str, Any], bundle: str | bytes) -> Policy:
        """Check a version and offer it. Its bundle is a folder here, or an archive (nodes share no disk).

        Raises:
            PolicyError: it is none; the message names each field that is wrong.
        """
        if not 0 < len(version) <= VERSION_CHARS_MAX:
            raise PolicyError(f"a policy's version is a name of 1 to {VERSION_CHARS_MAX} characters")
        if isinstance(bundle, bytes):
            with unpacked(bundle, self._memory.with_name("bundles")) as folder:
                self._put(version, policy, str(folder))
        else:
            self._put(version, policy, bundle)
        self.withdrawn.discard(version)
        self.default = version
        self._remember()
        return self.policies[version]

    def offer_engines(self, recognizer: Mapping[str, Any], synthesizer: Mapping[str, Any]) -> None:
        """Where new calls find their speech engines; see `Supervisor.engines`.

        Raises:
            CallerFault: an unknown kind. ProtocolFault: a place that is none.
        """
        places = [Place.from_map(raw) for each in (recognizer, synthesizer) for raw in each.get("places", ())]
        engines = Engines.from_map(
            {
                "recognizer": str(recognizer.get("kind", "none")),
                "recognizer_endpoints": list(map(list, recognizer.get("endpoints", ()))),
                "synthesizer": str(synthesizer.get("kind", "tone")),
                "synthesizer_endpoints": list(map(list, synthesizer.get("endpoints", ()))),
                "clips": str(synthesizer.get("clips", "")),
                "voice": str(synthesizer.get("voice", "")),
            }
        )
        speech.check(engines)
        self.engines, self._places = engines, places
        self._remember()

    def policy(self, version: str) -> Policy:
        """Raises:
        UnknownPolicy: no version of this name was published, or it was withdrawn.
        """
        policy = self.policies.get(version) if version not in self.withdrawn else None
        if policy is None:
            known = ", ".join(each for each in self.policies if each not in self.withdrawn) or "none"
            raise UnknownPolicy(f"policy {version!r} was not published here; known: {known}")
        return policy

    def named(self, wanted: str) -> str:
        """The version that is meant: itself, or the latest one whose policy has this name; "" = there is none."""
        if wanted in self.policies:
            return wanted
        return next((v for v, policy in reversed(self.policies.items()) if policy.name == wanted), "")

    def withdraw(self, version: str) -> None:
        """Offer a version to nobody any more; nothing happens where it is not offered."""
        if version not in self.policies:
            return
        self.withdrawn.add(version)
        if self.default == version:
            self.default = next((each for each in reversed(self.policies) if each not in self.withdrawn), "")
        self._remember()

    def drop(self, version: str) -> None:
        """Nobody uses a withdrawn version any more: forget it, with the folder that its bundle was unpacked into."""
        self.withdrawn.discard(version)
        self.policies.pop(version, None)
        self._plain.pop(version, None)
        bundle = self._bundles.pop(version, "")
        if bundle:
            release(bundle)
            if Path(bundle).parent == self._memory.with_name("bundles") and bundle not in self._bundles.values():
                shutil.rmtree(bundle, ignore_errors=True)
        self._remember()

    def plain(self, version: str) -> dict[str, Any]:
        """A version in plain values, as it goes to a call."""
        return self._plain[version]

    def bundle(self, version: str) -> str:
        """The folder with a version's own agents; "" = it has none."""
        return self._bundles.get(version, "")

    def engines_for(self, version: str) -> Engines:
        """The engines for a call of a version: clips come from its bundle where that has some."""
        self._turn += 1
        engines = self.reachable(self._turn)
        clips = Path(self.bundle(version)) / CLIPS if self.bundle(version) else None
        if engines.clips and clips is not None and clips.is_dir():
            return replace(engines, clips=str(clips))
        return engines

    def reachable(self, turn: int = 0) -> Engines:
        """The engines, with those endpoints first that their replicas have told of, as they are dialled from here."""
        if not self._places:
            return self.engines
        told = {kind: choose((p for p in self._places if p.kind == kind), *self._here, turn) for kind in KINDS}
        return replace(
            self.engines,
            recognizer_endpoints=told[RECOGNIZER] + self.engines.recognizer_endpoints,
            synthesizer_endpoints=told[SYNTHESIZER] + self.engines.synthesizer_endpoints,
        )

    def recall(self) -> list[str]:
        """Offer again what was offered before; returns the versions."""
        try:
            body = json.loads(self._memory.read_text())
            for version, (policy, bundle) in body["policies"].items():
                self._put(version, policy, bundle)
            self.default = body["default"]
            self.withdrawn = set(body.get("withdrawn", ()))
            self.engines = Engines.from_map(body["engines"])
            self._places = [Place.from_map(raw) for raw in body.get("places", ())]
        except (OSError, ValueError, KeyError, TypeError, ProtocolFault):
            return []
        return list(self.policies)

    def forget(self) -> None:
        """Leave nothing for a next life."""
        self._memory.unlink(missing_ok=True)

    def _put(self, version: str, policy: Mapping[str, Any], bundle: str) -> None:
        try:
            checked = sent_policy(policy)
        except PolicyError as error:
            raise PolicyError(f"policy {version}: {error}") from error
        self.policies[version] = checked
        self._plain[version] = checked.model_dump(mode="json")
        self._bundles[version] = bundle

    def _remember(self) -> None:
        policies = {version: (plain, self._bundles[version]) for version, plain in self._plain.items()}
        body = {
            "policies": policies,
            "default": self.default,
            "withdrawn": sorted(self.withdrawn),
            "engines": self.engines.as_map(),
            "places": [place.as_map() for place in self._places],
        }
        fresh = self._memory.with_suffix(".new")
        fresh.touch(mode=0o600)  # engines' tokens are in it
        fresh.write_text(json.dumps(body))
        fresh.replace(self._memory)
