"""Effects: the commands that reach the caller or the world, what makes two of them the same, and their words.

Timers, notices and records reach nobody outside of the call; they are no effects.
"""

from __future__ import annotations

from typing import Any

from . import commands as cmd
from .commands import Command

EFFECTS: dict[str, type[Command]] = {
    kind.__name__: kind
    for kind in (
        cmd.Say,
        cmd.HoldSpeech,
        cmd.ResumeSpeech,
        cmd.CutSpeech,
        cmd.InviteAgents,
        cmd.AwaitJournal,
        cmd.Perform,
        cmd.Withdraw,
        cmd.TransferCall,
        cmd.HangUp,
    )
}
# Steps on the way to an effect: what follows them matters, not they.
QUIET = (cmd.InviteAgents, cmd.AwaitJournal, cmd.Withdraw)
SPEECH = (cmd.Say, cmd.HoldSpeech, cmd.ResumeSpeech, cmd.CutSpeech)
AUDIBLE = (*SPEECH, cmd.TransferCall, cmd.HangUp)  # the caller notices; what they do next may depend on it


def effect_key(command: Any, utterance: str) -> tuple[str, ...]:
    """What must be equal for two effects to be the same, but their time."""
    name = type(command).__name__
    if isinstance(command, cmd.Say):
        return (name, command.text, str(command.interruptible))
    if isinstance(command, SPEECH):
        return (name, utterance)
    if isinstance(command, cmd.InviteAgents):
        return (name, command.reason)
    if isinstance(command, cmd.Perform):
        return (name, command.action, repr(command.arguments))
    if isinstance(command, QUIET):
        return (name,)
    return (name, effect_name(command))


def effect_name(command: Any) -> str:
    if isinstance(command, cmd.Perform):
        return str(command.action)
    return f"transfer to {command.target}" if isinstance(command, cmd.TransferCall) else f"hang up: {command.reason}"


def effect_words(command: Any) -> str:
    if isinstance(command, cmd.Say):
        return f"say {command.purpose}"
    names = {cmd.HoldSpeech: "hold", cmd.ResumeSpeech: "resume", cmd.CutSpeech: "cut"}
    return names.get(type(command)) or effect_name(command)
