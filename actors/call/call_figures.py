"""What a live call tells of itself in plain values: its counts, and the state reply. Reads all, changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offhook.policies.conversation.view import view_of

if TYPE_CHECKING:
    from .runtime import CallRuntime


def counts(call: CallRuntime) -> dict[str, Any]:
    """What happened in a call so far, in numbers. Reactions: from a frame's arrival to the `clear` that it caused."""
    line, funnel, recorder = call.line, call.funnel, call.recorder
    reactions_us = sorted(line.reactions_us)
    return {
        "frames": line.frames,
        "frames_lost": line.frames_lost,
        "frames_doubled": line.frames_doubled,
        "clears": line.clears,
        "played_ms": line.played_bytes // 8,
        "utterances": call.voice.utterances,
        "starved_ms": call.voice.playout.starved_ms,
        "starved_times": call.voice.playout.starved_times,
        "events": dict(funnel.events),
        "illegal": funnel.illegal,
        "engine_messages_refused": call.hearing.recognizer.refused + call.synthesizer.refused,
        "faults": funnel.faults,
        "refused_words": call.refused_words,
        "records": recorder.seq,
        "records_unsafe": recorder.unsafe,
        "records_lost": recorder.lost,
        "reaction_us_p50": reactions_us[len(reactions_us) // 2] if reactions_us else 0,
        "reaction_us_max": reactions_us[-1] if reactions_us else 0,
    }


def describe(call: CallRuntime) -> dict[str, Any]:
    """The state reply: the core's view, who owns the call, and how its process fares."""
    return {
        **view_of(call.state, call.policy),
        "epoch": call.setup.epoch,
        "policy_version": call.setup.policy_version,
        "stream": call.line.stream,
        "timers": dict(call.state.timers),
        "counts": counts(call),
        "reactions_us": list(call.line.reactions_us),
        "broadcaster": call.broadcaster.stats(),
    }
