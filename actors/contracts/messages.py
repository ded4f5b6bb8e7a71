"""The messages of links: who sends which, with which fields. One declaration a message; nothing else is sent.

Here are hellos and what a call exchanges with its gateway, its agents and observers; with a supervisor
(`node_messages.py`) and with speech engines (`engine_messages.py`) it is in files of their own.

Audio is mu-law, 8 kHz, mono, in `bytes`, where its hello names no other format. Numbers named `_ms` are on the call's
clock. `epoch` fences: whoever sees a higher one refuses the lower.

Skew. Whoever dials says PROTOCOL in its hello; 0 is a release from before that. Fields are added as `message.py` says.
A message that is new in a PROTOCOL: whoever dials may send it at once, since an older acceptor passes over names of a
newer dialler; whoever accepts sends it only where the dialler's hello says that it knows it (`Link.protocol`). So each
release talks to the one before it. What is sent here and known to nobody is a fault of its sender and closes the link.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .message import Message, among

PROTOCOL = 1  # rises with every message or field that is added here


class Bye(Message, name="bye"):
    """Any to any: what you sent is refused, this link is closed."""

    reason: str = "no reason given"


# --- hellos: the first message of every link is ["hello", token, then the fields of one of these] ---------------------

HELLO = "hello"


class GatewayHello(Message, name=HELLO):
    """To a call. `stream`: the carrier's id of it. `frames`: how many have come in on it.

    `played`: how far the carrier is in playing: [last mark sent, ms of sound after it, ms of all that not played yet,
    1 = it was cleared]; None = not known. `transfers`: the carrier can hand the caller over to a number.
    """

    stream: str
    codec: str  # "mulaw8k"
    frames: int = 0
    played: list[Any] | None = None
    protocol: int = 0
    transfers: bool = True


class SubscriberHello(Message, name=HELLO):
    """To a call, of an agent or an observer."""

    subscriber: str
    kind: str  # "agent" or "observer"
    topics: list[Any]
    since_seq: int = -1  # of the last notice that it has; -1 = it wants no older ones
    protocol: int = 0


# --- gateway -> call --------------------------------------------------------------------------------------------------


class Past(Message, name="past"):
    """Frames that a former owner has acknowledged, for ears to warm up on."""

    seq: int  # of the first frame
    sound: bytes


class Audio(Message, name="a"):
    """One or more frames of 20 ms."""

    seq: int  # of the first frame, from 0
    sound: bytes


class Marked(Message, name="marked"):
    """The carrier has played everything before that mark."""

    mark: str


class Digit(Message, name="digit"):
    """A key."""

    digit: str
    number: int = -1  # of the key, from 0; -1 = the next


class Stopped(Message, name="stopped"):
    """The carrier ended the stream."""

    reason: str


TO_CALL_FROM_GATEWAY = among(Past, Audio, Marked, Digit, Stopped)

# --- call -> gateway --------------------------------------------------------------------------------------------------


class Ack(Message, name="ack"):
    """Frames up to `seq` are folded and journaled."""

    epoch: int
    seq: int


class Play(Message, name="play"):
    """Any whole number of frames of 20 ms, to be played behind what is buffered."""

    epoch: int
    sound: bytes


class Mark(Message, name="mark"):
    """Tell when everything before it was played."""

    epoch: int
    mark: str


class Pace(Message, name="pace"):
    """So many frames may travel in one message (1 = none waits)."""

    epoch: int
    frames: int


class Clear(Message, name="clear"):
    """Drop what the carrier still buffers."""

    epoch: int


class Hangup(Message, name="hangup"):
    """End the stream and the call on the wire."""

    epoch: int
    reason: str


class Transfer(Message, name="transfer"):
    """The stream ends, the call does not yet."""

    epoch: int
    target: str


TO_GATEWAY_FROM_CALL = among(Ack, Play, Mark, Pace, Clear, Hangup, Transfer)

# --- call -> subscribers ----------------------------------------------------------------------------------------------


class Notice(Message, name="n"):
    """What happened in the call, to whoever subscribed to its topic."""

    seq: int
    revision: int
    turn: int
    topic: str
    body: Mapping[str, Any]


class Invite(Message, name="invite"):
    """To an agent: what do you propose, given this view?"""

    turn: int
    revision: int
    reason: str
    deadline_ms: int
    view: Mapping[str, Any]


class Remember(Message, name="remember"):
    """To an agent: what should your successor of another version know?"""

    number: int


class Upgrade(Message, name="upgrade"):
    """To an agent: begin anew, with this of your predecessor ({} = nothing)."""

    memory: Mapping[str, Any]


class Gone(Message, name="gone"):
    """Cut off for being slow, or the call is over."""

    reason: str = ""


TO_AGENT_FROM_CALL = among(Notice, Invite, Remember, Upgrade, Gone)
TO_OBSERVER_FROM_CALL = among(Notice, Gone)

# --- agent -> call ----------------------------------------------------------------------------------------------------


class Answer(Message, name="answer"):
    """Codec arrays of what it proposes. `refusals`: proposals that cannot be sent, and why. `part` counts from 0."""

    turn: int
    basis: int
    proposals: list[Any]
    reading: object = None  # this and what follows is looked at by the gate, which leaves out what is none
    refusals: object = None
    part: object = 0
    more: object = False  # true = others are to come


class Memory(Message, name="memory"):
    """What it remembers; `keeps` False = this agent has no memory."""

    number: int
    memory: Mapping[str, Any]
    keeps: bool


class Failed(Message, name="failed"):
    """No answer will come; the agent is made anew. `steps`: the way to the failure, a line each."""

    turn: int
    basis: int
    reason: str
    steps: list[Any] | None = None
    pii_words: str = ""  # the error's own


TO_CALL_FROM_AGENT = among(Answer, Memory, Failed)
