"""Audio formats and WAV files: sizes, names, and what is none."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offhook.actors.audio import wav
from offhook.actors.audio.format import (
    BYTES_PER_MS,
    ENCODINGS,
    FRAME_BYTES,
    FRAME_MS,
    LINEAR16,
    MULAW,
    SILENT_FRAME,
    TELEPHONE,
    AudioFormat,
    whole_frames,
)
from offhook.actors.contracts.errors import WrongSound

FORMATS = st.builds(
    AudioFormat, st.sampled_from(ENCODINGS), st.sampled_from((8_000, 11_025, 16_000, 44_100)), st.integers(1, 8)
)


def test_the_telephones_numbers_are_those_of_g711_in_frames_of_20_ms() -> None:
    assert (BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENT_FRAME) == (8, 160, 20, b"\xff" * 160)
    assert TELEPHONE.name == "mulaw8k" and str(TELEPHONE) == "mulaw, 8000 Hz, 1 channel"


def test_sizes_follow_from_encoding_rate_and_channels() -> None:
    stereo = AudioFormat(LINEAR16, 44_100, 2)
    assert (stereo.step_bytes, stereo.bytes_per_s, stereo.frame_bytes) == (4, 176_400, 3_528)
    assert stereo.silence(10) == b"\0" * 1_764 and AudioFormat(LINEAR16, 16_000).frame_bytes == 640


@given(FORMATS)
def test_a_format_is_found_by_its_name(form: AudioFormat) -> None:
    assert AudioFormat.named(form.name) == form


@given(FORMATS, st.integers(0, 5_000))
def test_what_has_a_length_has_whole_samples_of_it(form: AudioFormat, ms: int) -> None:
    audio = form.silence(ms)
    assert len(audio) == form.bytes_of(ms) and not len(audio) % form.step_bytes
    assert ms - 1 <= form.ms_of(len(audio)) <= ms


@pytest.mark.parametrize("name", ["", "opus48k", "mulaw", "mulaw8000000k", "linear16-16k, and more", "linear16-16kx9"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    with pytest.raises(WrongSound):
        AudioFormat.named(name)


@pytest.mark.parametrize("form", [("opus", 48_000, 1), (MULAW, 80, 1), (MULAW, 8_000, 0)])
def test_a_format_that_cannot_be_is_told(form: tuple[str, int, int]) -> None:
    with pytest.raises(WrongSound):
        AudioFormat(*form)


def test_telephone_audio_is_filled_up_to_whole_frames() -> None:
    assert whole_frames(b"\0") == b"\0" + b"\xff" * 159
    assert whole_frames(b"") == b"" and whole_frames(SILENT_FRAME) == SILENT_FRAME


@given(FORMATS, st.binary(max_size=64))
def test_what_was_written_is_read(form: AudioFormat, audio: bytes) -> None:
    audio = audio[: len(audio) - len(audio) % form.step_bytes]
    assert wav.read(wav.write(form, audio)) == (form, audio)


def test_other_chunks_are_passed_over_and_an_extensible_file_is_read() -> None:
    fmt = struct.pack("<HHIIHHHHI16s", 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 4, struct.pack("<H14x", 1))
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", 4) + b"abcd"
    raw = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    assert wav.read(raw) == (AudioFormat(LINEAR16, 16_000), b"abcd")


def test_a_file_that_is_cut_off_has_what_it_has_in_whole_samples() -> None:
    assert wav.read(wav.write(AudioFormat(LINEAR16, 8_000), b"abcdef")[:-3]) == (AudioFormat(LINEAR16, 8_000), b"ab")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "it is empty"),
        (b"ID3\x03 and an MP3", "not a WAV file"),
        (b"RIFF\0\0\0\0WAVE", "ends too early"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\0\0", "does not say of which format"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 8_000, 48_000, 6, 24), "format 1, 24 bit, 2 ch"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 1, 2, 2, 16), "a sample rate of 1 Hz"),
    ],
)
def test_what_is_no_wav_file_is_told_what_it_is(raw: bytes, says: str) -> None:
    with pytest.raises(WrongSound, match=says):
        wav.read(raw)


@given(st.binary(max_size=80))
def test_nothing_else_is_ever_raised(rest: bytes) -> None:
    for head in (b"", b"RIFF\0\0\0\0WAVE", wav.write(TELEPHONE, b"")[:36]):
        with contextlib.suppress(WrongSound):
            wav.read(head + rest)
