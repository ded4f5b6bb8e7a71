"""What calls tell of: the topics of notices. What a notice of each says stands where it is published."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """What a subscriber may ask to hear of; on the wire and in a journal it is its text."""

    ACTION = "action"
    AGENT = "agent"
    ANSWER = "answer"
    ANSWERING = "answering"
    APPROVAL = "approval"
    CALL = "call"
    CONCERN = "concern"
    DEBT = "debt"
    FLOOR = "floor"
    HANDOFF = "handoff"
    HEALTH = "health"
    OVERLAP = "overlap"
    OWNER = "owner"
    POLICY = "policy"
    PRESENCE = "presence"
    READING = "reading"
    ROUND = "round"
    SIGNAL = "signal"
    SILENCE = "silence"
    SLOT = "slot"
    SPEECH = "speech"
    STAGE = "stage"
    SUGGESTION = "suggestion"
    TURN = "turn"
    VERDICT = "verdict"
    WORDS = "words"
