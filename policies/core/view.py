"""The view: what an agent is told of a call, field by field. How it is made of the state: `conversation/view.py`.

A view is a plain `dict` of plain values (str, int, float, bool, None, list, dict), as it crosses a link and as the API
shows it; the classes here say which keys it has. It is of one revision, and nothing in it changes later. Keys that
begin with `pii_` hold what the people on the line said or are. Moments (`_ms`) are milliseconds on the call's clock,
0 = never. Fields are only ever added.
"""

from __future__ import annotations

from typing import TypedDict


class ViewTurn(TypedDict):
    """One turn of the conversation so far."""

    speaker: str  # "caller", or the agent's name ("core" = the call's own lines)
    pii_text: str  # what the caller said, as it is read by now; of an agent's words, what was heard, to the last word
    from_ms: int
    until_ms: int
    cut: bool  # an agent's that was not heard to its end
    utterance: str  # an agent's; "" = the caller's


class ViewFloor(TypedDict):
    """Who has the right to be heard."""

    holder: str  # "caller", "agent", "both", "nobody"
    since_ms: int


class ViewUtterance(TypedDict):
    """Something that an agent says, and how much of it was heard."""

    id: str
    agent: str
    pii_text: str
    pii_heard: str  # what was heard of it, known once it was held, cut or over
    purpose: str  # a `Purpose`: "question", "offer", "confirmation", ...
    asks: str  # an `Asks`: "nothing", "open", "yes_no", "time", ...
    topic: str
    slot: str
    playing: str  # "sent", "playing", "held", "ended", "cut", "failed"
    cut: bool
    told: bool  # so much was heard that it counts as told
    started_ms: int
    ended_ms: int
    heard_ms: int
    total_ms: int  # 0 = its length is not known yet


class ViewConcern(TypedDict):
    """An objection, followed over turns."""

    topic: str  # "price", "timing", "fit", "authority", "trust", "implementation"
    standing: str  # "open", "softening", "resolved", "reopened"
    answers: int  # how often an agent has answered it
    due: str  # the answer that is due: "full", "light", "none", or "escalate" when it was answered often enough
    opened_ms: int
    pii_text: str
    history: list[list[int | str]]  # [at_ms, standing], oldest first


class ViewSlot(TypedDict):
    """One thing to be agreed on."""

    pii_value: str
    confirmed: bool
    agreed: bool  # this very value was read back, and answered with a clean yes


class ViewAnswer(TypedDict):
    """The caller's answer to the last yes-or-no question."""

    utterance: str  # the question
    says: str  # "yes" (with nothing left over), "no", "unclear", "none"
    why: str  # the kind of word that keeps it from being clean
    confirms: bool  # the question had read something back, and asked for a yes
    about: list[str]  # names of what it had read back, as far as that was heard
    turn: int


class ViewSignal(TypedDict):
    """One dated piece of evidence."""

    id: int
    sign: str  # a `Sign`: "commitment", "concern", "confirmation", "denial", "hesitation", "wait", ...
    strength: float  # 0 to 1
    at_ms: int
    turn: int
    source: str
    pii_text: str
    topic: str
    provisional: bool  # of words that may still be read otherwise
    stands: bool  # not taken back
    new: bool  # stands, and no agent has answered it yet


class ViewFailure(TypedDict):
    """An agent was lost, for a moment or for good."""

    agent: str
    at_ms: int
    reason: str  # the error and its place, without its own words


class ViewSilence(TypedDict):
    """How the present silence is read."""

    after: str  # what came before it: "question", "offer", "wait", ...
    mood: str  # "thinking", "hesitating", "absent"; "" = none
    since_ms: int
    rung: int  # of the silence ladder


class ViewAnswering(TypedDict):
    """Who picked up."""

    armed: bool
    decided: str  # "human", "machine", "screening", "unknown"; "" = undecided
    reason: str


class ViewPresence(TypedDict):
    """Whether a person is at the far end."""

    reading: str  # "announcement", "music", "menu", "television"; "" = a person, as far as is known
    since_ms: int


class ViewAct(TypedDict):
    """A tool's act that is over."""

    action: str  # the tool
    arguments: dict[str, str]  # may hold personal data
    ok: bool
    pii_result: str  # the tool's own words
    at_ms: int
    grant: str
    withdrawn: bool  # taken back before it had left
    regretted: bool  # taken back by the caller when it had left
    undo: str  # the tool that undoes it; "" = none


class ViewTransfer(TypedDict):
    """The transfer under way."""

    grant: str
    pii_target: str


class ViewWaiting(TypedDict):
    """A proposal that waits for the floor."""

    proposal: str
    agent: str
    action: str  # the tool, "say:PURPOSE", or the kind


class ViewApproval(TypedDict):
    """An act that waits for an operator's yes."""

    proposal: str
    agent: str
    action: str
    pii_arguments: dict[str, str]
    pii_text: str
    until_ms: int


class ViewAuthority(TypedDict):
    """What was done, what is under way, and what waits for the floor or an operator."""

    suspended: bool  # an interruption is not understood yet: nothing is permitted
    done: dict[str, int]  # how often: "say:offer", "say:question:time", "book_meeting"
    acts: list[ViewAct]  # oldest first
    under_way: list[str]  # what is granted and not over: "book_meeting", "say:answer"
    transfer: ViewTransfer | None
    waiting: list[ViewWaiting]
    approvals: list[ViewApproval]
    refused: list[str]  # acts that no operator allows in this call
    spent_cents: float


class View(ViewAuthority):
    """A call at one revision; with the fields of `ViewAuthority`."""

    # the call
    call: str
    policy: str
    policy_version: str
    language: str  # in which the caller is understood, as the policy names it
    direction: str  # "inbound" | "outbound"
    pii_caller: str
    pii_callee: str
    epoch: int  # counts the processes that have owned the call
    revision: int  # counts its events
    evidence_revision: int  # of the newest evidence: what was computed before is stale
    turn: int  # rises when the caller says something new or interrupts: what was computed before is fenced
    now_ms: int
    answered_ms: int
    line: str  # "ringing", "open", "lost", "closed"
    stage: str  # "opening", "qualifying", "offering", "objecting", "booking", "closing"
    outcome: str  # why the call ends; "" = it goes on
    # the conversation
    floor: ViewFloor
    speaking: bool  # the caller makes a sound
    pii_words: str  # the caller's present turn, as it is read by now
    asks: str  # what kind of answer the agent's last utterance waits for
    utterance: ViewUtterance | None  # being said, held or sent
    last_utterance: ViewUtterance | None
    # evidence
    readiness: float  # 0 to 1
    uncertainty: float  # 0 to 1
    ready: bool  # with hysteresis
    concerns: list[ViewConcern]
    slots: dict[str, ViewSlot]  # by name
    answer: ViewAnswer | None
    pii_told: dict[str, str]  # terms that the caller has heard to their end, and their words
    failures: list[ViewFailure]  # the last times that an agent was lost
    owed: list[str]  # what the caller is owed, "kind:what": "result:g3", "reply:..."
    signals: list[ViewSignal]  # the newest 24, oldest first
    silence: ViewSilence
    answering: ViewAnswering
    presence: ViewPresence
    agents: list[str]  # that are here
    lost_parts: list[str]  # "recognizer", "synthesizer", "journal", as far as they are away
    # the conversation so far: the newest 40 turns, 8,000 characters in all, oldest first; the last may still go on
    transcript: list[ViewTurn]
