"""Calls on real Ray with a real recognizer that is on another machine: over TCP, and at its successor's new address.

"Another machine" is what the place says of itself; its Unix socket stands here and must not be used.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from installation import Installation
from offhook.actors.audio.format import FRAME_BYTES, whole_frames
from offhook.actors.engines.engine_places import RECOGNIZER, Place
from offhook.serve.engines.moonshine.engine import MoonshineRecognizer
from offhook.serve.engines.recognizer_host import RecognizerHost
from offhook.serve.engines.sound import read_wav
from phone import Phone

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]


class Elsewhere:
    """A recognizer of this process that says it is on another machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine = RecognizerHost(MoonshineRecognizer(), tcp="tcp:127.0.0.1:0")

    async def start(self, installation: Installation) -> None:
        """Start it, and have the node's calls use it and no other."""
        await self.engine.start()
        at = self.engine.endpoint()
        place = Place(RECOGNIZER, self.name, "another node", "another machine", at["endpoint"], at["tcp"], at["token"])
        await installation.supervisor.engines({"kind": "link", "places": [place.as_map()]}, {"kind": "tone"})

    def over_tcp(self) -> int:
        """Links that came in at the port."""
        unix, tcp = self.engine._server._servers
        assert not unix._links, "the Unix socket is for calls of its own machine"
        return len(tcp._links)


def clip(path: Path) -> list[bytes]:
    coded = read_wav(path)
    coded = whole_frames(coded)
    return [coded[at : at + FRAME_BYTES] for at in range(0, len(coded), FRAME_BYTES)]


async def final_words(installation: Installation, call: str) -> str:
    """All that was read to its end so far, in small letters."""
    heard: list[list[Any]] = await installation.events(call, "WordsHeard")
    return " ".join(str(event[3]) for event in heard if event[4]).lower()


async def said(installation: Installation, phone: Phone, call: str, frames: list[bytes], expected: str) -> None:
    """Speak, and be silent until it was understood."""
    await phone.say(frames)
    for _ in range(100):
        await phone.listen(200)
        if expected in await final_words(installation, call):
            return
    raise AssertionError(f"{expected!r} is not in {await final_words(installation, call)!r}")


def test_a_call_is_understood_by_an_engine_on_another_machine_and_by_its_successor(
    installation: Installation, audio: Path
) -> None:
    async def test() -> None:
        version = await installation.publish()
        first, second = Elsewhere("first"), Elsewhere("second")
        await first.start(installation)
        phone = await installation.call("far", version)
        await said(installation, phone, "far", clip(audio / "dana" / "team.wav"), "team")
        assert first.over_tcp() == 1

        await first.engine.stop()
        await installation.until(lambda: noticed(up=False))
        # Nothing listens at the old address any more: the live call is told of the new one.
        await second.start(installation)
        await installation.until(lambda: noticed(up=True))
        await said(installation, phone, "far", clip(audio / "dana" / "time.wav"), "nine")
        assert second.over_tcp() == 1
        phone.hang_up()
        await installation.ended("far")
        await second.engine.stop()

    async def noticed(up: bool) -> bool:
        told = await installation.events("far", "HealthChanged")
        return any(event[2:4] == [RECOGNIZER, up] for event in told)

    installation.run(test, within_s=120)


def test_a_call_begins_before_any_engine_is_there_and_is_understood_from_then_on(
    installation: Installation, audio: Path
) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.engines({"kind": "link"}, {"kind": "tone"})
        phone = await installation.call("early", version)
        late = Elsewhere("late")
        await asyncio.gather(phone.listen(1_000), late.start(installation))
        await said(installation, phone, "early", clip(audio / "dana" / "team.wav"), "team")
        assert late.over_tcp() == 1
        phone.hang_up()
        await installation.ended("early")
        await late.engine.stop()

    installation.run(test, within_s=120)
