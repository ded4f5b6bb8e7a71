"""All that a call knows: the parts of its state, each immutable, and the whole (who is there: `far_end.py`).

A part is replaced, never edited. The rules that move a part live in the file of the same name (`speech/floor.py` moves
`Floor`, `conversation/silence.py` moves `Silence`, ...); nothing here decides anything. Times are milliseconds on the
call's clock; 0 stands for "never" where a moment may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .dialogue import Answer, Debt, Segment, Term, Told, Turn
from .far_end import Answering as Answering
from .far_end import Presence as Presence
from .parts import clone, part
from .principal import Principal
from .proposals import Asks, Grant, Proposal, Purpose
from .signals import Ledger as Ledger
from .signals import Sign as Sign
from .signals import Signal as Signal


class Line(StrEnum):
    """The carrier's line."""

    RINGING = "ringing"
    OPEN = "open"
    LOST = "lost"
    CLOSED = "closed"


class Holder(StrEnum):
    """Who has the right to be heard now."""

    CALLER = "caller"
    AGENT = "agent"
    BOTH = "both"
    NOBODY = "nobody"


class Stage(StrEnum):
    """Where the conversation stands."""

    OPENING = "opening"
    QUALIFYING = "qualifying"
    OFFERING = "offering"
    OBJECTING = "objecting"
    BOOKING = "booking"
    CLOSING = "closing"


@part
class Floor:
    holder: Holder = Holder.NOBODY
    since_ms: int = 0


@part
class CallerSpeech:
    """The caller's present turn: the talkspurt, and the words since the agent last finished or was cut."""

    speaking: bool = False
    onset_ms: int = 0  # of the present or the last talkspurt
    ended_ms: int = 0  # end of the last voiced frame; meaningful while not speaking
    turn_started_ms: int = 0  # onset of the turn's first talkspurt
    voiced_ms: int = 0  # of the present or the last talkspurt
    loudness_db: float = 0.0
    pitch_hz: float = 0.0
    snr_db: float = 0.0
    segments: tuple[Segment, ...] = ()  # of this turn, in order
    answering: Asks = Asks.NOTHING  # what the agent's last utterance waits for
    read_ms: int = 0  # how far the recognizer has read
    before: tuple[Segment, ...] = ()  # of the turn that the agent's present utterance answers

    @property
    def words(self) -> str:
        """The turn's words as read so far."""
        return " ".join(segment.text for segment in self.segments if segment.text)


@part
class Baseline:
    """This caller's own loudness, pitch and speech rate: running means and mean absolute deviations."""

    spurts: int = 0
    loudness_db: float = 0.0
    loudness_dev: float = 0.0
    pitch_hz: float = 0.0
    pitch_dev: float = 0.0
    words_per_s: float = 0.0
    rate_dev: float = 0.0
    rates: int = 0  # segments whose pace was measured


@part
class Cadence:
    """This caller's pauses inside turns: running mean and mean absolute deviation, in ms, and how many were seen."""

    pauses: int = 0
    mean_ms: float = 0.0
    dev_ms: float = 0.0


class Playing(StrEnum):
    """Where an utterance stands."""

    SENT = "sent"  # asked for, not yet heard
    PLAYING = "playing"
    HELD = "held"
    ENDED = "ended"
    CUT = "cut"
    FAILED = "failed"


@part
class Utterance:
    """Something the agent says, and how much of it was heard."""

    id: str
    text: str
    purpose: Purpose
    asks: Asks
    interruptible: bool
    agent: str
    grant: str
    topic: str = ""
    slot: str = ""
    playing: Playing = Playing.SENT
    sent_ms: int = 0
    started_ms: int = 0
    heard_ms: int = 0
    total_ms: int = 0
    ended_ms: int = 0
    heard_text: str = ""
    terms: tuple[Term, ...] = ()  # what it has to get across
    words: int = 0  # of its text, heard to their end
    told: bool = False  # so much of it was heard that it counts
    told_ms: int = 0  # from when on; what was said before that answers something else
    action: str = ""  # the act that it asks consent to
    about: str = ""  # the act whose outcome it tells
    unread_ms: int = 0  # up to where the caller's speech was read when it was granted; 0 = all of it
    wordless_ms: int = 0  # held in all for sound without a word


@part
class AgentSpeech:
    """What the agent is saying, and the last thing that it said."""

    current: Utterance | None = None
    last: Utterance | None = None
    question: Utterance | None = None  # what the caller's words answer: the last one, unless that only lent patience


@part
class Overlap:
    """The caller speaks while the agent does; open until settled. `held` = beat one has happened."""

    utterance: str
    onset_ms: int
    confirmed_ms: int
    deadline_ms: int
    held: bool
    voiced_ms: int = 0
    words: str = ""
    read_ms: int = 0  # how far the recognizer has read into it
    take: float = 0.0  # probability that the caller takes the floor, as last judged
    spurt_over: bool = False
    noise: bool = False  # it goes on with sound that was found to be noise: it holds nothing, only words settle it


@part
class EndOfTurn:
    """The pending decision that the caller's turn has ended; `deadline_ms` 0 = none pending."""

    deadline_ms: int = 0
    patience_ms: int = 0
    anchor_ms: int = 0  # end of the last voiced frame
    why: str = ""  # the factors, for `explain`
    decided_ms: int = 0  # when the turn was declared over; 0 = it is not
    decided_words: str = ""  # the words on which it was; personal data


@part
class Silence:
    """Nobody speaks. `after` is what came before it; `rung` is the ladder's next rung; `mood` how it is read."""

    after: str = ""  # "offer", "question", "confirmation", "wait", "statement", "interruption"
    since_ms: int = 0  # 0 = no silence
    rung: int = 0
    mood: str = ""  # "thinking", "hesitating", "absent"
    deadline_ms: int = 0
    suspended_ms: int = 0  # since when a tool or a hold keeps the ladder still; 0 = it is not
    stood_ms: int = 0  # how long it has stood still before, since the caller's last word
    alone_since_ms: int = 0  # since when the caller has said no word, whatever the agents said


class Standing(StrEnum):
    """Where a concern stands."""

    OPEN = "open"
    SOFTENING = "softening"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@part
class Concern:
    """An objection followed over turns. `history` holds (at_ms, standing, signal id), oldest first."""

    topic: str
    standing: Standing
    opened_ms: int
    history: tuple[tuple[int, Standing, int], ...]
    answers: int = 0  # how often the agent has answered it
    text: str = ""  # the caller's words; personal data


@part
class Slot:
    """One thing to be agreed on (a time, a name), heard and then confirmed."""

    name: str
    value: str
    confirmed: bool
    signal: int
    agreed: str = ""  # the utterance that read this very value back and got a clean yes


@part
class Round:
    """An open invitation: who was asked on which state, who has answered, with what."""

    turn: int
    basis: int
    reason: str
    invited: tuple[str, ...]
    deadline_ms: int
    answered: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    debt: str = ""  # what it was opened to pay, as "kind:what"


@part
class Act:
    """A tool's act that is over: with what it was authorized, and how it ended."""

    grant: str
    action: str  # the tool's name
    arguments: tuple[tuple[str, str], ...]
    key: str  # the idempotency key that it was carried out under
    ok: bool
    result: str  # the tool's own words; may hold personal data
    at_ms: int
    withdrawn: bool = False  # taken back before the tool had begun
    regretted: bool = False  # the caller took it back too late


@part
class Authority:
    """What the gate remembers. `suspended_since` > 0 while an interruption is not yet reconciled."""

    suspended_since_ms: int = 0
    grants: tuple[Grant, ...] = ()  # live: granted and not yet finished
    waiting: tuple[Proposal, ...] = ()  # everything holds but the floor
    approvals: tuple[Proposal, ...] = ()  # an operator must say yes
    done: tuple[tuple[str, int, int], ...] = ()  # (action or purpose:topic, times, last at_ms): heard, or begun
    spent_cents: float = 0.0
    spoke_revision: int = 0  # the revision at which something was last granted to be heard
    recent: tuple[str, ...] = ()  # digests of the last acts, oldest first; the loop breaker reads them
    approved: tuple[tuple[str, Principal, int], ...] = ()  # (act, who, at_ms): a yes is to the act, not to one proposal
    acts: tuple[Act, ...] = ()  # the last acts that are over, oldest first
    refused: tuple[tuple[str, str, str], ...] = ()  # (act, its name, why) that no operator allows in this call
    spoke_for: tuple[str, int, int] = ("", 0, 0)  # whose answer that was: its agent, basis and part


@dataclass(slots=True)
class CallState:
    """One call's whole state. Treated as immutable: `step` works on a copy and returns it.

    `revision` counts the events folded in; `turn` fences (an interruption raises it); `evidence_revision` is the
    revision of the newest evidence, which outdates every proposal computed before it.
    """

    call: str = ""
    policy_version: str = ""
    direction: str = "inbound"
    caller: str = ""
    callee: str = ""
    epoch: int = 1
    revision: int = 0
    now_ms: int = 0
    answered_ms: int = 0
    turn: int = 0
    evidence_revision: int = 0
    line: Line = Line.RINGING
    stage: Stage = Stage.OPENING
    floor: Floor = Floor()
    hearing: CallerSpeech = CallerSpeech()
    baseline: Baseline = Baseline()
    cadence: Cadence = Cadence()
    speech: AgentSpeech = AgentSpeech()
    overlap: Overlap | None = None
    end_of_turn: EndOfTurn = EndOfTurn()
    silence: Silence = Silence()
    ledger: Ledger = Ledger()
    concerns: tuple[Concern, ...] = ()
    slots: tuple[Slot, ...] = ()
    round: Round | None = None
    authority: Authority = Authority()
    answering: Answering = Answering()
    agents: tuple[str, ...] = ()  # joined and not lost
    lost_parts: frozenset[str] = frozenset()
    timers: Mapping[str, int] = field(default_factory=dict)  # name -> deadline_ms
    counters: tuple[int, int, int] = (0, 0, 0)  # utterances, grants, verdicts numbered so far
    outcome: str = ""  # why the call ended or is ending; empty while it goes on
    told: tuple[Told, ...] = ()  # terms that the caller has heard, oldest first
    answer: Answer | None = None  # to the last question that read something back, or asked for a yes
    consent: Answer | None = None  # the last clean yes to something that was read back
    debts: tuple[Debt, ...] = ()  # what the caller is owed, oldest first
    said_revision: int = 0  # of the newest words of the caller that are more than a listener's
    unheard_since_ms: int = 0  # the recognizer was lost under the caller's words, who has not been told; 0 = not so
    presence: Presence = Presence()
    transcript: tuple[Turn, ...] = ()  # the conversation so far, oldest first; bounded (`speech/transcript.py`)
    failures: tuple[tuple[str, int, str], ...] = ()  # (agent, at_ms, why): the last times that one was lost

    def copy(self) -> CallState:
        """A shallow copy; the parts are immutable."""
        return clone(self)
