"""Is the caller taking the floor? One probability from what is known at this moment; what follows is `barge_in.py`.

A logistic regression over sparse features of the words so far, of how long there was voice and of what the agent is
saying. The words' weights are the language's, the others' stand in `overlap_weights.py`; both come from
`tests/benchmarks/overlap_training.py`, out of meetings, not phone calls. What meetings cannot teach (loudness and pitch
against the caller's own baseline, a question that waits for an answer) is a prior written by hand, in PRIORS. Pure,
about 20 us.
"""

from __future__ import annotations

import math
from itertools import pairwise

from ..core.parts import part
from ..core.proposals import Asks, Purpose
from ..core.state import Stage
from ..language.port.port import OverlapWords
from .overlap_weights import WEIGHTS


@part
class OverlapView:
    """What is known of an overlap now. Nothing in it lies later than the moment of the judgement."""

    elapsed_ms: int  # since the onset
    voiced_ms: int
    words: str = ""  # finished words as recognized so far; often none yet, sometimes wrong
    spurt_over: bool = False  # the caller has fallen silent again
    loudness_above_db: float = 0.0  # above this caller's baseline; 0 = unknown
    pitch_above_share: float = 0.0  # of the baseline pitch; 0 = unknown
    snr_db: float = 0.0
    purpose: Purpose = Purpose.ANSWER  # of what the agent is saying
    asks: Asks = Asks.NOTHING
    heard_share: float = 0.0  # of the utterance
    held_ms: int = 0  # how long the agent has held the floor
    stage: Stage = Stage.OPENING
    read_ms: int = 0  # how far into the overlap the recognizer has read; 0 = unknown: it runs behind, or is not there


# Added to the log-odds. Louder and higher than oneself goes with claiming the floor, softer with a listener's token
# (French and Local 1983; Shriberg et al. 2001); the sizes are cautious, a third of what one clear word weighs.
LOUDNESS_PER_DB, LOUDNESS_MOST_DB = 0.06, 10.0
PITCH_PER_SHARE, PITCH_MOST_SHARE = 1.5, 0.4
FAINT_BELOW_DB, FAINT = 10.0, -0.5  # so little above the noise that it may not be the caller at all

# A question that has been heard nearly whole: what is said over its end is its answer.
ANSWERED_FROM_SHARE, ANSWERED = 0.7, 1.2
PRIORS: dict[Purpose | Stage, float] = {
    Purpose.OFFER: 0.3,  # a price is answered at once
    Purpose.MESSAGE: -0.5,  # nobody listens to a message being left
    Stage.OBJECTING: 0.3,  # whoever has a concern wants it heard
}

_STRIPPED = '.,!?;:"()[]'
_QUIET_FROM_MS = 110  # voice is measured every 100 ms: less than this since the last measure says nothing
_WORDS_MAX = 4  # further ones add nothing: three words are a take already
_WORD_MS = 300  # a listener's token; how far unknown words are taken to reach
_QUESTIONS = (Asks.OPEN, Asks.YES_NO, Asks.TIME, Asks.DIGITS, Asks.NAME)


def judge(view: OverlapView, spelled: OverlapWords) -> float:
    """Probability, 0 to 1, that the caller takes the floor; `spelled` = what words weigh in the caller's language."""
    by_voice, by_words = features(view, spelled)
    weigh, weigh_word = WEIGHTS.get, spelled.weights.get
    odds = sum([weigh(each, 0.0) for each in by_voice] + [weigh_word(each, 0.0) for each in by_words]) + _prior(view)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def features(view: OverlapView, spelled: OverlapWords) -> tuple[list[str], list[str]]:
    """The names of the features that hold: of the voice, which weigh what WEIGHTS says or nothing, and of the words."""
    words = normal(view.words, spelled)
    quiet_ms = max(0, view.elapsed_ms - view.voiced_ms)
    voice = "over" if view.spurt_over else "on" if quiet_ms < _QUIET_FROM_MS else "off"
    voiced = f"v{_bin(view.voiced_ms)}"
    found = ["bias", f"question {view.asks in _QUESTIONS}", f"held {min(7, view.held_ms.bit_length() // 2)}"]
    if not words and not view.read_ms:  # nothing but the voice to go by
        return [*found, f"unread {voice}", f"unread {voiced}", f"unread {voice} {voiced}"], []
    unread_ms = max(0, view.elapsed_ms - quiet_ms - (view.read_ms or _WORD_MS * len(words)))
    behind = f"behind {min(4, (unread_ms + 40) // 150)}"
    count = min(len(words), 5)
    found += [
        voice,
        f"{voice} {voiced}",
        f"n{count} {voice}",
        f"n{count} {voice} {voiced}",
        f"n{count} {behind} {voice}",
    ]
    if not words:
        return found, []
    first, last = words[0], words[-1]
    whole = " ".join(words[:3])
    said = [f"1 {first}", f"1 {first} {voice}", f"1 {first} {behind}", f"l {last}", f"l {last} {voice}"]
    said += [f"= {whole}", f"= {whole} {voice}"]
    said += [f"w {word}" for word in dict.fromkeys(words[:_WORDS_MAX])]
    said += [f"b {before} {after}" for before, after in pairwise(words[:_WORDS_MAX])]
    return found, said


def _bin(voiced_ms: int) -> int:
    """Steps of 100 ms, coarser where overlaps get few."""
    return voiced_ms // 100 if voiced_ms < 700 else 7 if voiced_ms < 900 else 9 if voiced_ms < 1_200 else 12


def normal(words: str, spelled: OverlapWords) -> list[str]:
    """Words as the weights spell them."""
    plain = [word.strip(_STRIPPED) for word in words.lower().split()]
    return [spelled.same.get(word, word) for word in plain if word]


def _prior(view: OverlapView) -> float:
    prior = PRIORS.get(view.purpose, 0.0) + PRIORS.get(view.stage, 0.0)
    if view.loudness_above_db:
        prior += LOUDNESS_PER_DB * max(-LOUDNESS_MOST_DB, min(LOUDNESS_MOST_DB, view.loudness_above_db))
    if view.pitch_above_share:
        prior += PITCH_PER_SHARE * max(-PITCH_MOST_SHARE, min(PITCH_MOST_SHARE, view.pitch_above_share))
    if 0 < view.snr_db < FAINT_BELOW_DB:
        prior += FAINT
    if view.asks in _QUESTIONS and view.heard_share >= ANSWERED_FROM_SHARE:
        prior += ANSWERED
    return prior
