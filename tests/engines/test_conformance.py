"""The stock engines with their real models and programs hold to what every engine has to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from offhook.serve.config import plug_ins
from offhook.serve.engines import sound
from offhook.testing.engine_conformance import RecognizerConformance, SynthesizerConformance

AUDIO = Path(__file__).parents[2] / "examples" / "audio"


class TestMoonshine(RecognizerConformance):
    speech, says = sound.read_wav(AUDIO / "dana" / "team.wav"), "team"

    def make(self) -> Any:
        return plug_ins.make(plug_ins.RECOGNIZERS, "moonshine", {})


class TestPiper(SynthesizerConformance):
    def make(self) -> Any:
        return plug_ins.make(plug_ins.SYNTHESIZERS, "piper", {})


@pytest.mark.skipif(shutil.which("flite") is None, reason="not installed: flite")
class TestFlite(SynthesizerConformance):
    voice = "slt"

    def make(self) -> Any:
        return plug_ins.make(plug_ins.SYNTHESIZERS, "flite", {})


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="not installed: espeak-ng")
class TestEspeak(SynthesizerConformance):
    voice = "en-gb"

    def make(self) -> Any:
        return plug_ins.make(plug_ins.SYNTHESIZERS, "espeak", {"voice": "en-gb"})
