"""What a live call tells of itself in plain values: its counts, and the state reply. Reads all, changes nothing."""

from __future__ import annotations

from typing import Any

from offhook.policies.conversation.view import view_of

from .session import Parts, Session


def counts(session: Session, parts: Parts) -> dict[str, Any]:
    """What happened in a call so far, in numbers. Reactions: from a frame's arrival to the `clear` that it caused."""
    line, funnel, recorder = parts.line, parts.funnel, session.recorder
    reactions_us = sorted(line.reactions_us)
    return {
        "frames": line.frames,
        "frames_lost": line.frames_lost,
        "frames_doubled": line.frames_doubled,
        "gateway_messages_refused": line.refused,
        "clears": line.clears,
        "played_ms": line.played_bytes // 8,
        "utterances": parts.voice.utterances,
        "starved_ms": parts.voice.playout.starved_ms,
        "starved_times": parts.voice.playout.starved_times,
        "events": dict(funnel.events),
        "illegal": funnel.illegal,
        "engine_messages_refused": parts.hearing.recognizer.refused + parts.synthesizer.refused,
        "faults": funnel.faults,
        "refused_words": session.refused_words,
        "records": recorder.seq,
        "records_unsafe": recorder.unsafe,
        "records_lost": recorder.lost,
        "reaction_us_p50": reactions_us[len(reactions_us) // 2] if reactions_us else 0,
        "reaction_us_max": reactions_us[-1] if reactions_us else 0,
    }


def describe(session: Session, parts: Parts) -> dict[str, Any]:
    """The state reply: the core's view, who owns the call, and how its process fares."""
    state = parts.funnel.state
    return {
        **view_of(state, session.policy),
        "epoch": session.setup.epoch,
        "policy_version": session.setup.policy_version,
        "stream": parts.line.stream,
        "timers": dict(state.timers),
        "counts": counts(session, parts),
        "reactions_us": list(parts.line.reactions_us),
        "broadcaster": parts.broadcaster.stats(),
    }
