"""Overlaps of the meeting corpus as a live call would have seen them: word times replayed up to the decision.

Used by the benchmark `overlap.py` and the training `overlap_training.py`. A word is known once it has ended (and the
recognizer's delay has passed); voice is known up to the detector's delay. Of the row's fields only the words, the
onset, how long the other speaker had held the floor and whether that speaker was asking are looked at; how long the
holder went on, the overlap's length and its dialogue act lie in the future.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from offhook.policies.conversation.overlap import OverlapView
from offhook.policies.core.proposals import Asks, Purpose

HANGOVER_MS = 160  # the ears' default: this long without voice, and the talkspurt is over
VOICE_DELAY_MS = 60  # half a measuring interval (100 ms) and a frame
UNREAD_MS = 10_000  # a recognizer that is not there

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """The rows of one part."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def is_take(row: Row) -> bool:
    """The label: the one who started to speak took or grabbed the floor."""
    return str(row["kind"]).startswith("floor")


def view_at(row: Row, at_ms: int, voice_delay_ms: int = VOICE_DELAY_MS, words_delay_ms: int = 0) -> OverlapView:
    """What is known `at_ms` after the onset."""
    heard_s = (at_ms - voice_delay_ms) / 1_000
    read_s = (at_ms - words_delay_ms) / 1_000 + 1e-6
    voiced_s, last_voice_s = 0.0, 0.0
    finished: list[str] = []
    for start_s, end_s, word in row["words"]:
        if start_s < heard_s:
            voiced_s += min(end_s, heard_s) - start_s
            last_voice_s = max(last_voice_s, min(end_s, heard_s))
        if end_s <= read_s:
            finished.append(word)
    asking = str(row["held_da"]).startswith("q")
    return OverlapView(
        elapsed_ms=at_ms,
        voiced_ms=round(voiced_s * 1_000),
        words=" ".join(finished),
        spurt_over=(heard_s - last_voice_s) * 1_000 >= HANGOVER_MS,
        purpose=Purpose.QUESTION if asking else Purpose.ANSWER,
        asks=Asks.OPEN if asking else Asks.NOTHING,
        held_ms=round(row["held_since"] * 1_000),
        read_ms=max(0, at_ms - words_delay_ms),
    )
