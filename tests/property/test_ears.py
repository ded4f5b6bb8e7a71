"""Whatever comes down the line, the ears tell a lawful story."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.actors.audio.mulaw import decode, encode
from offhook.actors.ears import Ears
from offhook.policies.core.events import SpeechEnded, SpeechMeasured, SpeechStarted
from offhook.policies.core.policy import Ears as EarsPolicy

# Stretches of line: (byte pattern, how many 20 ms packets, how late the next packet is)
stretches = st.lists(
    st.tuples(st.binary(min_size=1, max_size=320), st.integers(1, 60), st.integers(0, 900)), min_size=1, max_size=6
)


@settings(max_examples=60, deadline=None)
@given(stretches, st.sampled_from(["webrtc", "confirmed"]))
def test_talkspurts_begin_and_end_in_turn_and_time_never_runs_back(
    line: list[tuple[bytes, int, int]], detector: str
) -> None:
    ears = Ears(EarsPolicy.model_validate({"detector": detector}))
    at_ms, told_ms, speaking, onset_ms = 0, 0, False, 0
    for pattern, packets, gap_ms in line:
        packet = (pattern * (320 // len(pattern) + 1))[:160]
        for _ in range(packets):
            at_ms += 20
            for event in ears.feed(packet, at_ms):
                assert told_ms <= event.at_ms <= at_ms
                told_ms = event.at_ms
                if isinstance(event, SpeechStarted):
                    assert not speaking
                    assert 0 <= event.onset_ms < event.at_ms
                    assert event.snr_db >= 0
                    speaking, onset_ms = True, event.onset_ms
                elif isinstance(event, SpeechMeasured):
                    assert speaking and event.onset_ms == onset_ms
                    assert 0 < event.voiced_ms <= event.at_ms - event.onset_ms + 20
                elif isinstance(event, SpeechEnded):
                    assert speaking and event.onset_ms == onset_ms
                    assert onset_ms <= event.ended_ms <= event.at_ms
                    speaking = False
        at_ms += gap_ms


@given(st.binary(max_size=500))
def test_mulaw_survives_the_round_trip(audio: bytes) -> None:
    samples = decode(audio)
    assert len(samples) == 2 * len(audio)
    assert decode(encode(samples)) == samples
