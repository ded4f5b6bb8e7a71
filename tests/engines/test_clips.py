"""The recognizer understands the demo's callers behind a telephone's mu-law, and makes no words of a cough."""

from __future__ import annotations

import random
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from offhook.policies.language.en import assent
from offhook.serve.engines import sound
from offhook.serve.engines.moonshine.decoder import Decoder, Model
from offhook.serve.engines.moonshine.engine import Moonshine

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parents[2] / "examples" / "audio" / "clips.tsv").read_text().splitlines()
    if not line.startswith("#")
]
WORDS_WRONG_MAX = 0.08  # of all words of all clips


@pytest.fixture(scope="module")
def model() -> Model:
    return Moonshine()


def heard(model: Model, coded: bytes, between: str = " ") -> str:
    """What is told in the end of a clip on an open line; `between` = what joins the pieces."""
    noise = random.Random(1)

    def hiss(ms: int) -> bytes:
        return bytes(noise.choices((0xFF, 0x7F, 0xFE, 0x7E, 0xFD, 0x7D), k=8 * ms))

    decoder = Decoder(model, 8_000)
    line = hiss(1_000) + coded + hiss(1_500)
    told = []
    for at in range(0, len(line), 800):
        told += decoder.decode(sound.decode(line[at : at + 800]))
    told += decoder.finish()
    return between.join(reading.text for reading in told if reading.final)


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower().replace("-", "")).split()


def test_the_callers_are_understood(model: Model, audio: Path) -> None:
    wrong = total = 0
    report = []
    for name, *_, text in ROWS:
        if text.startswith("["):
            continue
        said, got = words(text), words(heard(model, sound.read_wav(audio / f"{name}.wav")))
        kept = sum(block.size for block in SequenceMatcher(None, said, got, autojunk=False).get_matching_blocks())
        missed = max(len(said), len(got)) - kept
        wrong, total = wrong + missed, total + len(said)
        if missed:
            report.append(f"{name}: {' '.join(said)} -> {' '.join(got)}")
    assert wrong <= WORDS_WRONG_MAX * total, "\n".join([f"{wrong} of {total} words wrong", *report])


def test_a_listeners_token_is_read_as_one(model: Model, audio: Path) -> None:
    assert words(heard(model, sound.read_wav(audio / "marcus" / "mm-hm.wav"))) == ["mmhmm"]


@pytest.mark.parametrize(
    ("clip", "value", "says"),
    [
        ("dana/right", "monday at 9", "yes"),
        ("ivan/right", "tuesday at 10", "yes"),
        ("marcus/right", "wednesday at 11", "yes"),
        ("victor/right", "friday at 4", "yes"),
        ("peter/if", "wednesday at 9", "unclear"),
        ("peter/right", "wednesday at 9", "yes"),
        ("oscar/right", "tuesday at 9", "yes"),
        ("oscar/do-not", "tuesday at 9", "unclear"),
    ],
)
def test_an_answer_to_a_read_back_is_taken_as_it_is_meant(
    model: Model, audio: Path, clip: str, value: str, says: str
) -> None:
    text = heard(model, sound.read_wav(audio / f"{clip}.wav"), between=", ")
    assert assent.read(text, [("time", value)]).says == says, text


def test_a_cough_is_no_word(model: Model, audio: Path) -> None:
    assert heard(model, sound.read_wav(audio / "noises" / "cough.wav")) == ""


def test_the_greeting_is_a_machines(model: Model, audio: Path) -> None:
    text = heard(model, sound.read_wav(audio / "voicemail" / "greeting.wav")).lower()
    assert "nobody is available to take your call" in text
    assert "leave your message" in text
