"""Events: the facts that a call takes in. Nothing here asks for anything; asking is `commands.py`.

Every event carries `at_ms`, the moment at which it entered the call, in milliseconds on the call's own clock
(0 = the call was created). Moments that an event speaks of (`onset_ms`, `ended_ms`) are on the same clock and may lie
before `at_ms`: a detector confirms an onset after it began.
"""

from __future__ import annotations

from .parts import part
from .principal import Principal
from .proposals import Proposal, Reading, Refusal


@part
class Event:
    """A fact with the moment at which the call learnt it."""

    at_ms: int


# --- the line -------------------------------------------------------------------------------------------------------


@part
class CallCreated(Event):
    """The first event of every call: who speaks to whom under which policy."""

    call: str
    direction: str  # "inbound" | "outbound"
    caller: str  # the remote party's number; personal data
    callee: str
    policy_version: str


@part
class LineAnswered(Event):
    """Audio flows: the carrier's stream has started."""


@part
class LineLost(Event):
    """The carrier's socket closed without a goodbye; it may come back."""

    reason: str


@part
class LineResumed(Event):
    """The carrier came back to this call."""


@part
class LineClosed(Event):
    """The call is over on the wire: the caller hung up, or the carrier ended the stream."""

    reason: str


# --- what the ears measure ------------------------------------------------------------------------------------------


@part
class SpeechStarted(Event):
    """Voice activity confirmed a talkspurt that began at `onset_ms`."""

    onset_ms: int
    loudness_db: float  # dBFS of the talkspurt so far
    snr_db: float  # above the adaptive noise floor
    pitch_hz: float  # 0.0 = unvoiced or unknown


@part
class SpeechMeasured(Event):
    """A talkspurt goes on; measured every 100 ms while it lasts."""

    onset_ms: int
    voiced_ms: int
    loudness_db: float
    snr_db: float
    pitch_hz: float


@part
class SpeechEnded(Event):
    """The talkspurt's last voiced frame ended at `ended_ms`; confirmed by the detector's hang-over at `at_ms`."""

    onset_ms: int
    ended_ms: int
    voiced_ms: int
    loudness_db: float
    pitch_hz: float


@part
class ToneHeard(Event):
    """A pure tone ended (or outlasted the detector's limit): a beep, ringback, or a digit's tone."""

    started_ms: int
    duration_ms: int
    frequency_hz: float
    purity: float  # share of the energy in one frequency, 0 to 1
    tones: int  # 1 = single, 2 = dual tone (ringback, DTMF)


@part
class WordsHeard(Event):
    """The recognizer's present reading of one segment. Partials replace each other; the final one is the last."""

    segment: int
    text: str  # personal data
    final: bool
    started_ms: int
    ended_ms: int


@part
class DigitPressed(Event):
    digit: str  # one of 0-9 * # A-D


# --- what the voice measures ----------------------------------------------------------------------------------------


@part
class PlaybackStarted(Event):
    """The first audio of an utterance left for the carrier."""

    utterance: str


@part
class PlaybackReached(Event):
    """The caller has heard the utterance up to `heard_ms` of `total_ms` (0 = length not known yet)."""

    utterance: str
    heard_ms: int
    total_ms: int
    confirmed: bool  # by the carrier's mark, not by our clock
    words: int = -1  # of its text, heard to their end; -1 = not known


@part
class PlaybackStopped(Event):
    """Playback was held or cut: what the caller has really heard."""

    utterance: str
    heard_ms: int
    heard_text: str


@part
class PlaybackEnded(Event):
    """The caller has heard all of it; `confirmed` by the carrier's mark, or by our clock after a grace."""

    utterance: str
    confirmed: bool


@part
class PlaybackFailed(Event):
    """The utterance cannot be spoken (no engine, no clip); `heard_text` says what was heard of it."""

    utterance: str
    reason: str
    heard_text: str


# --- agents, tools, operators ---------------------------------------------------------------------------------------


@part
class AgentJoined(Event):
    agent: str


@part
class AgentLost(Event):
    """An agent raised, hung or was cut off. It is restarted outside; the call goes on."""

    agent: str
    reason: str  # "KeyError at agents/guide.py:21 in propose" where its code raised
    trace: tuple[str, ...] = ()  # the way to where it raised, a line each, outermost first
    pii_message: str = ""  # the error's own words, which may be the caller's


@part
class AgentAnswered(Event):
    """An agent's answer to an invitation: its proposals, or none. It may come in parts, each an event of its own."""

    agent: str
    turn: int
    basis: int  # the revision that it was computed from
    proposals: tuple[Proposal, ...]
    reading: Reading | None = None  # of the caller's answer, where the agent is a reader
    refused: tuple[Refusal, ...] = ()  # what was not even taken in; each becomes a verdict
    part: int = 0  # its number, from 0
    more: bool = False  # others are to come


@part
class Journaled(Event):
    """Everything that led to this grant is in the journal: what cannot be undone may be judged for the last time."""

    grant: str


@part
class ActionBegun(Event):
    """The register has begun the act: it has left, and no withdrawal reaches it any more."""

    grant: str


@part
class ActionFinished(Event):
    """A tool carried out (or failed to carry out) an authorized action."""

    grant: str
    ok: bool
    result: str
    withdrawn: bool = False  # it was taken back in time: nothing was done


@part
class OperatorDecided(Event):
    """An operator's answer to a proposal that waits for approval."""

    proposal: str
    approved: bool
    operator: Principal


@part
class HangupRequested(Event):
    """Somebody with the right to do so wants the call to end now."""

    by: Principal
    reason: str


# --- clocks and health ----------------------------------------------------------------------------------------------


@part
class TimerFired(Event):
    """A deadline that the call armed has passed. `deadline_ms` is the one armed; a stale one changes nothing."""

    timer: str
    deadline_ms: int


@part
class HealthChanged(Event):
    """A part that the call leans on is gone or back: "recognizer", "synthesizer", "journal"."""

    part: str
    up: bool


@part
class OwnerChanged(Event):
    """Another process owns the call from here on; it folded everything before."""

    epoch: int


@part
class PolicyChanged(Event):
    """Another policy leads the call from this event on, which it folds itself (see `conversation/swap.py`)."""

    version: str
    agents: tuple[str, ...]  # of that version, at their seats at this moment
    reason: str = ""  # empty = a swap; otherwise why one was undone
