"""Dutch, as the port wants it."""

from __future__ import annotations

from offhook.policies.language.port.port import Language, OverlapWords

from . import assent, completeness, greetings, reading, values, words

LANGUAGE = Language(
    name="nl",
    read=reading.read,
    assent=assent.read,
    listening=assent.listening,
    takes_back=assent.takes_back,
    undoing=assent.undoing,
    completeness=completeness.judge,
    same=values.same,
    merged=values.merged,
    is_moment=values.is_moment,
    greeting=greetings.read,
    live=greetings.live,
    asks=greetings.asks,
    recording=greetings.recording,
    piece=greetings.piece,
    money=words.MONEY,
    overlap=OverlapWords(words.SAME_IN_OVERLAPS, words.IN_OVERLAPS),
)
