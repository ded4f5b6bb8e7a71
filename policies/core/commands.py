"""Commands: the effects that a step asks for. The call actor carries them out; nothing here happens by itself.

A command is a request that has already passed the gate where it needs to. Carrying it out yields events, never
another command.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from .parts import part
from .proposals import Purpose, Verdict


@part
class Command:
    """Base of all effects."""


@part
class Say(Command):
    """Speak `text` as utterance `utterance`. Answered by PlaybackStarted .. PlaybackEnded, or PlaybackFailed."""

    utterance: str
    text: str
    purpose: Purpose
    interruptible: bool
    grant: str


@part
class HoldSpeech(Command):
    """Stop being heard at once, keep the rest. Answered by PlaybackStopped."""

    utterance: str


@part
class ResumeSpeech(Command):
    """Go on from the held word."""

    utterance: str


@part
class CutSpeech(Command):
    """Give the rest up. Answered by PlaybackStopped unless already held."""

    utterance: str


@part
class ArmTimer(Command):
    """Fire `timer` at `deadline_ms` on the call's clock; replaces an armed one of that name."""

    timer: str
    deadline_ms: int


@part
class DisarmTimer(Command):
    timer: str


class RoundReason(StrEnum):
    """Why agents are asked; where a timer of their own asks, its name is the reason. Journals hold the values."""

    ANSWERED = "answered"  # the line is open, and nothing was said yet
    TURN_ENDED = "turn_ended"  # the caller has spoken
    INTERRUPTED = "interrupted"  # the caller has spoken into the agent's words, and these were cut
    SILENCE = "silence"  # nobody speaks for longer than is usual after what was said last
    ACTION_FINISHED = "action_finished"  # it is known what came of an act
    HANDOFF = "handoff"  # another agent has handed the caller over, to the one that is asked
    APPROVED = "approved"  # an operator's yes came too late for the words that it was asked for
    UNAPPROVED = "unapproved"  # an operator said no to an act, or nobody answered


@part
class InviteAgents(Command):
    """Ask these agents for proposals on the state at `revision`; answers after `deadline_ms` are late."""

    agents: tuple[str, ...]
    turn: int
    revision: int
    reason: str  # a `RoundReason`, or the name of a timer that an agent asked for
    deadline_ms: int


@part
class Publish(Command):
    """Tell the subscribers of `topic`. `body` is plain (str, int, float, bool, list, dict)."""

    topic: str
    body: Mapping[str, Any]


@part
class RecordVerdict(Command):
    """Write down why something was permitted or not."""

    verdict: Verdict


@part
class AwaitJournal(Command):
    """Tell when everything up to here is in the journal. Answered by Journaled, or by ActionFinished where it fails."""

    grant: str


@part
class Perform(Command):
    """Have a tool carry out an authorized action exactly as it is. Answered by ActionFinished."""

    grant: str
    action: str
    arguments: tuple[tuple[str, str], ...]
    key: str
    irreversible: bool


@part
class Withdraw(Command):
    """Take an order back before its tool begins. Answered by ActionFinished: withdrawn, or what came of it anyway."""

    grant: str
    key: str


@part
class TransferCall(Command):
    """Hand the line to `target`. Nobody there is told first: no carrier of this release can."""

    grant: str
    target: str
    announced: bool = False  # always; it stands here so that journals of earlier releases can be read


@part
class HangUp(Command):
    """End the call on the wire. Answered by LineClosed."""

    reason: str
