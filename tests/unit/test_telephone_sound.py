"""mu-law, resampling and levels, against definitions rather than recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from offhook.actors.audio import mulaw, wav
from offhook.actors.audio.format import FRAME_BYTES, LINEAR16, MULAW, SILENCE, TELEPHONE, AudioFormat
from offhook.actors.contracts.errors import WrongSound
from offhook.serve.engines import sound


def tone(hz: float, rate_hz: int, seconds: float = 1.0) -> sound.Waves:
    return np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz).astype(np.float32)


def loudness(waves: sound.Waves) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(waves[400:-400]))) * np.sqrt(2) + 1e-12))


def test_every_code_survives_a_round_trip() -> None:
    codes = bytes(range(256))
    again = sound.encode(sound.decode(codes))
    assert [a for a, b in zip(codes, again, strict=True) if a != b] == [0x7F]  # minus zero becomes zero


def test_quantization_stays_within_the_half_step_of_g711() -> None:
    samples = np.arange(-32_635, 32_636, dtype=np.int32).astype(np.int16)
    error = np.abs(sound.decode(sound.encode(samples)).astype(int) - samples)
    assert np.all(error <= (np.abs(samples.astype(int)) + 132) / 32)


def test_decodes_as_the_call_process_does() -> None:
    codes = bytes(range(256))
    assert sound.decode(codes).astype("<i2").tobytes() == mulaw.decode(codes)


@pytest.mark.parametrize("hz", [300, 1_000, 2_500, 3_200])
def test_resampling_keeps_the_telephone_band(hz: float) -> None:
    out = sound.resampled(tone(hz, 22_050), 22_050, 8_000)
    assert abs(loudness(out)) < 0.1
    assert out.size == 8_000


@pytest.mark.parametrize("hz", [4_100, 5_000, 7_700, 10_500])
def test_resampling_lets_nothing_fold_back(hz: float) -> None:
    assert loudness(sound.resampled(tone(hz, 22_050), 22_050, 8_000)) < -55


def test_resampling_keeps_time() -> None:
    out = sound.resampled(tone(1_000, 22_050, 2.0), 22_050, 8_000)
    assert np.max(np.abs(out - tone(1_000, 8_000, 2.0))[300:-300]) < 2e-3


@pytest.mark.parametrize("count", [0, 1, 159, 441, 22_051])
def test_resampling_any_length(count: int) -> None:
    out = sound.resampled(np.zeros(count, np.float32), 22_050, 8_000)
    assert abs(out.size - count * 8_000 / 22_050) <= 1


def test_level_is_that_of_the_voiced_part_and_never_clips() -> None:
    speech = np.concatenate([np.zeros(8_000, np.float32), 0.02 * tone(200, 8_000), np.zeros(8_000, np.float32)])
    assert sound.level_db(sound.leveled(speech, -21)) == pytest.approx(-21, abs=0.3)
    click = np.zeros(8_000, np.float32)
    click[100] = 0.9
    assert np.max(np.abs(sound.leveled(click, -3))) <= 0.98
    assert not sound.leveled(np.zeros(8_000, np.float32), -21).any()


def test_the_magnitude_table_tells_silence_from_speech() -> None:
    assert max(SILENCE.translate(sound.MAGNITUDE)) == 0
    assert max(sound.encode(sound.to_samples(0.1 * tone(300, 8_000))).translate(sound.MAGNITUDE)) == pytest.approx(
        25, abs=1
    )


def test_wav_files_round_trip(tmp_path: Path) -> None:
    coded = sound.encode(sound.to_samples(0.5 * tone(440, 8_000)))
    (tmp_path / "a.wav").write_bytes(sound.wav_bytes(coded))
    assert sound.read_wav(tmp_path / "a.wav") == coded


def test_a_file_of_another_format_is_converted(tmp_path: Path) -> None:
    form = AudioFormat(LINEAR16, 44_100, 2)
    (tmp_path / "b.wav").write_bytes(wav.write(form, sound.audio_of(0.5 * tone(440, 44_100), form)))
    got = sound.waves_of(sound.read_wav(tmp_path / "b.wav"), TELEPHONE)
    assert np.max(np.abs(got - 0.5 * tone(440, 8_000))[300:-300]) < 0.02  # the steps of mu-law at this level


def test_a_wrong_wav_file_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(WrongSound, match="not a WAV file"):
        sound.read_wav(tmp_path / "c.wav")


FORMATS = [TELEPHONE, AudioFormat(LINEAR16, 8_000), AudioFormat(LINEAR16, 16_000), AudioFormat(LINEAR16, 22_050, 2)]


@pytest.mark.parametrize("target", FORMATS, ids=str)
@pytest.mark.parametrize("source", FORMATS, ids=str)
def test_a_stream_is_converted_as_a_whole_is_wherever_it_is_cut(source: AudioFormat, target: AudioFormat) -> None:
    audio = sound.audio_of(0.5 * tone(700, source.rate_hz), source)
    stream = sound.Converter(source, target)
    got = b"".join(stream.feed(audio[at : at + 333]) for at in range(0, len(audio), 333)) + stream.finish()
    whole = sound.convert(audio, source, target)
    assert abs(len(got) - len(whole)) <= target.step_bytes
    end = min(len(got), len(whole))
    assert np.max(np.abs(sound.waves_of(got[:end], target) - sound.waves_of(whole[:end], target))) < 0.02
    assert abs(target.ms_of(len(got)) - 1_000) <= 1


def test_a_stream_that_needs_no_converting_is_not_touched() -> None:
    assert sound.Converter(TELEPHONE, AudioFormat(MULAW, 8_000)).feed(SILENCE * FRAME_BYTES) == SILENCE * FRAME_BYTES
