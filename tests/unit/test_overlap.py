"""The overlap's judgement: what the words, the voice and the agent's own utterance each say."""

from __future__ import annotations

import statistics
import timeit
from dataclasses import replace

import pytest
from offhook.policies.conversation import overlap
from offhook.policies.conversation.overlap import OverlapView
from offhook.policies.conversation.overlap_weights import WEIGHTS
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.language.en.language import LANGUAGE
from offhook.policies.language.port.port import OverlapWords

NOW = OverlapView(elapsed_ms=500, voiced_ms=440, held_ms=4_000, read_ms=500)
LATE = replace(NOW, read_ms=0)


def judge(view: OverlapView) -> float:
    return overlap.judge(view, LANGUAGE.overlap)


@pytest.mark.parametrize("words", ["mm-hmm", "Mhm.", "uh-huh", "yeah", "Right.", "OK", "okay", "yeah yeah", "oh okay"])
def test_a_listener_s_token_that_is_over_claims_nothing(words: str) -> None:
    assert judge(replace(NOW, words=words, voiced_ms=300, spurt_over=True)) < 0.2


@pytest.mark.parametrize("words", ["but wait", "no no", "I don't", "well I", "yeah but", "how much", "what about the"])
def test_words_that_claim_the_floor_do_so(words: str) -> None:
    assert judge(replace(NOW, words=words)) > 0.8


def test_a_token_alone_is_less_of_a_claim_than_a_token_with_more_behind_it() -> None:
    assert (
        judge(replace(NOW, words="yeah"))
        < judge(replace(NOW, words="yeah but"))
        < judge(replace(NOW, words="yeah but i"))
    )


def test_without_words_a_longer_voice_is_more_of_a_claim() -> None:
    taken = [judge(replace(LATE, elapsed_ms=ms, voiced_ms=ms - 40)) for ms in (200, 400, 600, 800, 1_200)]
    assert taken == sorted(taken)
    assert taken[0] < 0.5 < taken[2]
    assert taken[-1] > 0.8


def test_without_words_a_short_sound_that_is_over_is_none() -> None:
    assert judge(replace(LATE, voiced_ms=250, spurt_over=True)) < 0.25


@pytest.mark.parametrize(
    "more",
    [
        {"loudness_above_db": 6.0},
        {"pitch_above_share": 0.3},
        {"purpose": Purpose.OFFER},
        {"asks": Asks.YES_NO, "heard_share": 0.9},
    ],
)
def test_what_speaks_for_a_claim_raises_it(more: dict[str, object]) -> None:
    plain = replace(LATE, asks=more.get("asks", Asks.NOTHING))  # type: ignore[arg-type]
    assert judge(replace(plain, **more)) > judge(plain)  # type: ignore[arg-type]


def test_what_is_softer_or_hardly_above_the_noise_is_less_of_a_claim() -> None:
    assert judge(replace(LATE, loudness_above_db=-6.0)) < judge(LATE)
    assert judge(replace(LATE, snr_db=7.0)) < judge(replace(LATE, snr_db=20.0))


def test_no_measurement_runs_away_with_the_judgement() -> None:
    loud = replace(LATE, loudness_above_db=1e6, pitch_above_share=1e6)
    assert judge(replace(loud, words="mm-hmm", voiced_ms=300, spurt_over=True)) < 0.5


def test_nothing_but_words_spelling_matters() -> None:
    assert overlap.normal("Mhm, O_K!", LANGUAGE.overlap) == ["mm-hmm", "okay"]
    assert judge(replace(NOW, words="Yeah, but...")) == judge(replace(NOW, words="yeah but"))


def test_every_weight_can_be_reached() -> None:
    heads = {feature.split()[0] for feature in (*WEIGHTS, *LANGUAGE.overlap.weights)}
    views = [replace(NOW, words="yeah but i"), replace(NOW, words=""), LATE, replace(NOW, spurt_over=True, words="no")]
    made = {
        feature.split()[0] for view in views for each in overlap.features(view, LANGUAGE.overlap) for feature in each
    }
    assert {head for head in heads if not head.startswith(("n", "o"))} <= made


def test_in_a_language_that_weighs_no_words_they_count_as_words_that_are_not_known() -> None:
    for words, unknown in (("ja", "zzz"), ("nee maar", "zzz zzy")):
        assert overlap.judge(replace(NOW, words=words), OverlapWords({}, {})) == judge(replace(NOW, words=unknown))


def test_one_judgement_takes_less_than_200_us() -> None:
    view = replace(NOW, words="yeah but i don't think so because it is too much")
    assert statistics.median(timeit.repeat(lambda: judge(view), number=200, repeat=5)) / 200 < 200e-6
