"""Sound and its sources: positions, words, recordings."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offhook.actors.audio import mulaw, wav
from offhook.actors.audio.format import LINEAR16, AudioFormat
from offhook.actors.audio.sound import SOUND_MS_MAX, WORD_TAIL_MS, Sound
from offhook.actors.contracts.errors import EngineAway, ProtocolFault, WrongSound
from offhook.actors.engines.sources import ClipSource, ToneSource, plan, read_clip, text_key
from offhook.actors.process.clock import MonotonicClock

TEXT = "Hello there,  how are you?"


def spoken(text: str = TEXT, words: list[list[object]] | None = None, ms: int = 2_000) -> Sound:
    sound = Sound(text)
    if words:
        sound.time(words)
    sound.add(b"\x80" * ms * 8)
    sound.finish()
    return sound


TIMED: list[list[object]] = [["Hello", 400], ["there", 800], ["how", 1_200], ["are", 1_600], ["you", 2_000]]


@pytest.mark.parametrize(
    ("heard_ms", "text", "start_ms"),
    [
        (0, "", 0),
        (300, "", 0),
        (400 - WORD_TAIL_MS, "Hello", 400),
        (700, "Hello", 400),
        (800, "Hello there,", 800),
        (1_210, "Hello there,  how", 1_200),
        (2_000, TEXT, 2_000),
        (9_999, TEXT, 2_000),
        (-1, "", 0),
    ],
)
def test_heard_text_is_whole_words_as_they_stand_and_resume_is_the_next(
    heard_ms: int, text: str, start_ms: int
) -> None:
    sound = spoken(words=TIMED)
    assert sound.heard_text(heard_ms) == text
    assert sound.word_start(heard_ms) == start_ms


def test_words_that_are_not_in_the_text_are_told_as_they_are() -> None:
    sound = spoken("It costs $19.", [["It", 400], ["costs", 800], ["nineteen", 1_400], ["dollars", 2_000]])
    assert sound.heard_text(900) == "It costs"
    assert sound.heard_text(1_500) == "It costs nineteen"


def test_without_word_times_the_words_share_the_sound_by_their_letters() -> None:
    sound = spoken("aa bb cc dd", ms=1_200)
    assert [sound.heard_text(ms) for ms in (100, 300, 700, 1_200)] == ["", "aa", "aa bb", "aa bb cc dd"]
    growing = Sound("word " * 50)
    growing.add(b"\x80" * 8_000)
    assert 1 <= len(growing.heard_text(1_000).split()) <= 4  # by the usual rate of speech, while the length is unknown


@given(st.text(max_size=80), st.lists(st.integers(0, 3_000), max_size=12), st.integers(-10, 4_000))
def test_whatever_the_times_heard_text_and_resume_agree(text: str, ends: list[int], heard_ms: int) -> None:
    sound = spoken(text, [[word, end] for word, end in zip(text.split(), ends, strict=False)])
    start_ms = sound.word_start(heard_ms)
    assert 0 <= start_ms <= max(sound.length_ms, *ends, 0)
    assert start_ms % 20 == 0
    heard = sound.heard_text(heard_ms)
    assert len(heard.split()) <= max(len(text.split()), len(ends))
    assert len(sound.heard_text(heard_ms + 500)) >= len(heard)


def test_a_second_engine_goes_on_from_the_first_word_that_is_not_here() -> None:
    sound = Sound(TEXT)
    sound.time(TIMED)
    sound.add(b"\x80" * 8 * 1_000)  # "how" is half here
    assert sound.rest() == (800, "how are you?")
    assert sound.length_ms == 800
    sound.time([["how", 400], ["are", 700], ["you", 1_000]], 800)
    sound.add(b"\x80" * 8 * 1_000)
    sound.finish()
    assert sound.heard_text(1_250) == "Hello there,  how"
    assert sound.heard_text(1_800) == TEXT


def test_what_was_sent_already_is_not_taken_back() -> None:
    sound = Sound(TEXT)
    sound.time(TIMED)
    sound.add(b"\x80" * 8 * 1_000)
    sound.taken_ms = 1_000
    assert sound.rest() == (1_000, "how are you?")
    assert sound.length_ms == 1_000
    assert Sound(TEXT).rest() == (0, TEXT)
    blind = Sound(TEXT)
    blind.add(b"\x80" * 800)
    assert blind.rest() == (100, "")


def test_limits_and_nonsense() -> None:
    sound = Sound("x")
    with pytest.raises(ProtocolFault):
        sound.add(bytes(SOUND_MS_MAX * 8 + 1))
    for words in ([["a"]], [["a", "b"]], [[1, 2]], [["a", 1, 2]]):
        with pytest.raises(ProtocolFault):
            sound.time(words)
    sound.fail("gone")
    sound.add(b"late")
    sound.finish()
    assert (sound.failed, sound.length_ms, sound.total_ms) == ("gone", 0, 0)


def test_a_tone_for_every_word_with_silence_between_and_exact_times() -> None:
    sound = Sound(TEXT)
    ToneSource().speak("u1", sound)
    assert sound.timed == [(word, end_ms) for word, _, end_ms in plan(TEXT)]
    assert sound.total_ms == plan(TEXT)[-1][2]
    for _word, start_ms, end_ms in plan(TEXT):
        tone = sound.slice(start_ms, start_ms + (end_ms - start_ms) // 2)
        peaks = struct.unpack(f"<{len(tone)}h", mulaw.decode(tone))
        assert 7_000 < max(peaks) < 9_000
        assert sound.slice(end_ms - 20, end_ms) == b"\xff" * 160
    again = Sound(TEXT)
    ToneSource().speak("u2", again)
    assert again.slice(0, again.length_ms) == sound.slice(0, sound.length_ms)
    empty = Sound("  ")
    ToneSource().speak("u3", empty)
    assert empty.complete and empty.length_ms == 0


def write_wav(path: Path, samples: list[int], rate_hz: int = 8_000, channels: int = 1) -> None:
    path.write_bytes(wav.write(AudioFormat(LINEAR16, rate_hz, channels), struct.pack(f"<{len(samples)}h", *samples)))


def test_clips_by_text_and_the_default_one_looped_or_cut(tmp_path: Path) -> None:
    ramp = list(range(-8_000, 8_000, 20))  # 100 ms
    write_wav(tmp_path / "default.wav", ramp)
    write_wav(tmp_path / f"{text_key('Hello  there, how are you?')}.wav", [0] * 16_000)
    clips = ClipSource(str(tmp_path))
    known = Sound(TEXT)
    clips.speak("u1", known)
    assert (known.total_ms, known.timed[-1]) == (2_000, ("you?", 2_000))
    other = Sound("One two three four.")
    clips.speak("u2", other)
    assert other.total_ms == plan(other.text)[-1][2]
    clip = read_clip(tmp_path / "default.wav")
    assert other.slice(0, 200) == clip * 2
    assert max(abs(a - b) for a, b in zip(struct.unpack("<800h", mulaw.decode(clip)), ramp, strict=True)) < 200


def test_a_mu_law_wav_is_taken_as_it_is(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4
    chunks = b"fmt " + struct.pack("<IHHIIHH", 16, 7, 1, 8_000, 8_000, 1, 8) + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    assert read_clip(tmp_path / "a.wav") == body


def test_what_is_not_a_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineAway, match="no clip"):
        ClipSource(str(tmp_path / "empty"))
    write_wav(tmp_path / "fast.wav", [0] * 10, rate_hz=16_000)
    write_wav(tmp_path / "two.wav", [0] * 10, channels=2)
    (tmp_path / "text.wav").write_text("RIFF, but not really")
    (tmp_path / "cut.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    for name, why in (("fast", "16000 Hz"), ("two", "2 channels"), ("text", "not a WAV"), ("cut", "not a WAV")):
        with pytest.raises(WrongSound, match=f"{name}.wav.*{why}"):
            read_clip(tmp_path / f"{name}.wav")
    with pytest.raises(EngineAway, match=r"nothing\.wav"):
        read_clip(tmp_path / "nothing.wav")


def test_the_clock_counts_from_the_calls_creation_and_never_back() -> None:
    clock = MonotonicClock()
    first = clock.now_ms()
    assert 0 <= first < 1_000
    assert MonotonicClock(clock.origin_unix_ms - 5_000).now_ms() >= 5_000
    ahead = MonotonicClock(clock.origin_unix_ms, at_least_ms=60_000)  # the former owner's wall clock was ahead
    assert 60_000 <= ahead.now_ms() < 61_000
