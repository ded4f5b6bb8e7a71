"""Proposals, verdicts, grants: what an agent wants, what the gate answered, and the right that follows.

A proposal is stamped with the turn and revision that it was computed from. A verdict lists every rule that was
compared, with the required and the actual value, whether it passed or not; it is all that `explain` needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .parts import part

CORE = "core"  # the name under which the call's own rules (silence, limits, fallback) propose; no agent has it


class Kind(StrEnum):
    """What a proposal would do."""

    SAY = "say"
    TOOL = "tool"
    HANDOFF = "handoff"
    TRANSFER = "transfer"
    HANGUP = "hangup"
    TIMER = "timer"


ACTS = (Kind.TOOL, Kind.TRANSFER)  # these leave the call: they count when they leave, not when they are granted


class Purpose(StrEnum):
    """Why something is said; decides how the silence and the overlap after it are read."""

    GREETING = "greeting"
    QUESTION = "question"
    ANSWER = "answer"
    OFFER = "offer"  # names a price or terms
    CONFIRMATION = "confirmation"  # reads something back and asks for a yes
    REASSURANCE = "reassurance"
    REPAIR = "repair"  # picks up after an interruption or a misunderstanding
    NOTICE = "notice"  # must be heard whole (legal notices)
    GOODBYE = "goodbye"
    MESSAGE = "message"  # left on a machine, after the beep


class Asks(StrEnum):
    """What kind of answer an utterance waits for; decides patience and how the answer is read."""

    NOTHING = "nothing"
    OPEN = "open"
    YES_NO = "yes_no"
    TIME = "time"
    DIGITS = "digits"
    NAME = "name"


@part
class Proposal:
    """What an agent wants to say or do, and the moment of the conversation that it was computed from.

    `arguments` are sorted pairs. `priority` is 0 to 1. `expires_ms` is on the call's clock; 0 = the policy's default.
    `slot` names the slot that the utterance asks for or reads back. For everything but SAY, `text` is said on the way
    (a goodbye, an announcement) and may be empty.
    """

    id: str
    agent: str
    kind: Kind
    turn: int
    basis: int
    text: str = ""
    purpose: Purpose = Purpose.ANSWER
    asks: Asks = Asks.NOTHING
    priority: float = 0.5
    topic: str = ""  # the concern that it answers
    slot: str = ""
    action: str = ""  # the tool, the handoff's agent, the transfer's target, the timer's name
    arguments: tuple[tuple[str, str], ...] = ()
    interruptible: bool = True
    expires_ms: int = 0
    reason: str = ""  # the agent's own words for why; shown by `explain`
    # What the words must get across, as (name, words of `text`): told only when that span was heard to its end.
    terms: tuple[tuple[str, str], ...] = ()
    about: str = ""  # the act whose outcome these words tell, as "GRANT:OUTCOME" (done, failed, withdrawn)
    # What it rests on besides what its rules read: "words", "signals", "concerns", "slot:NAME", "concern:TOPIC".
    rests_on: tuple[str, ...] = ()
    part: int = 0  # of an answer in parts: its number, set by the call; a later one goes on with those before it


Part = tuple[tuple[Proposal, ...], int, bool]  # of an answer: (proposals, its number, others are to come)


def parts_of(proposals: Sequence[Proposal], one_by_one: bool) -> list[Part]:
    """An answer as it reaches a call: whole, or one by one, when an empty part tells the end."""
    if not one_by_one:
        return [(tuple(proposals), 0, False)]
    return [*(((each,), number, True) for number, each in enumerate(proposals)), ((), len(proposals), False)]


class Polarity(StrEnum):
    """What an answer says to what was asked."""

    YES = "yes"  # and nothing is left over
    NO = "no"
    UNCLEAR = "unclear"  # a condition, a change, doubt, or words that nobody could read
    NONE = "none"  # no answer


@part
class Reading:
    """What a reader (an agent with a `read` method) makes of the caller's answer in this turn."""

    says: Polarity
    why: str = ""  # in the reader's own words; may hold personal data


@part
class Refusal:
    """A proposal that was not taken in (`gate/entry.py`): a verdict says what was required, and what was found."""

    proposal: str  # its id, as far as it has one
    kind: Kind
    what: str  # its action, or what it would have been
    rule: str  # "well_formed" or "sayable"
    required: str
    actual: str


class Answer(StrEnum):
    """The gate's answer."""

    GRANT = "grant"
    DENY = "deny"
    WAIT = "wait"  # everything holds but the floor is not free, or an operator must say yes
    SUGGEST = "suggest"  # the autonomy level allows showing, not doing


@part
class RuleResult:
    """One rule, compared. `required` and `actual` are plain words and numbers with their units."""

    rule: str
    required: str
    actual: str
    ok: bool


class Moment(StrEnum):
    """Where on its way a proposal is judged; journals hold the values."""

    PROPOSED = "proposed"  # as it comes from its agent, or from a timer or a debt of the core's
    FLOOR = "floor"  # it waited for the floor, or its announcement was heard
    APPROVAL = "approval"  # an operator has decided, or was too late
    EXECUTION = "execution"  # for the last time, before it leaves the call
    WITHDRAWAL = "withdrawal"  # the caller's words take a grant back
    PROVISIONAL = "provisional"  # words that may still be read otherwise: only a refusal counts; in no verdict
    OWED = "owed"  # what the caller was owed is written off


@part
class Verdict:
    """The gate's answer to one proposal at one moment.

    `moment` is the text of a `Moment`; records of a later release may hold one that is not known here.
    """

    id: str
    proposal: str
    agent: str
    kind: Kind
    what: str  # the action's name, or the purpose of what would be said
    answer: Answer
    at_ms: int
    revision: int
    turn: int
    stage: str
    moment: str
    rules: tuple[RuleResult, ...]

    @property
    def reason(self) -> str:
        """The first rule that failed, in words; empty when none did."""
        for result in self.rules:
            if not result.ok:
                return f"{result.rule}: needs {result.required}, is {result.actual}"
        return ""


@part
class Grant:
    """The right to carry out one proposal. It dies with its turn unless the act is already under way."""

    id: str
    proposal: Proposal
    verdict: str
    at_ms: int
    turn: int
    key: str  # idempotency key, the same in every retry and after every takeover
    # Of an act: "announced" = its words are being heard, "journal" = waits for Journaled, "ordered" = Perform was sent,
    # "begun" = it has left, "withdrawn" = Withdraw was sent, "regretted" = taken back after it had left. "" in older
    # journals = ordered.
    stage: str = ""
