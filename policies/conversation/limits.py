"""Limits: the deadlines of the whole call, and the words for how it ended.

Belongs here: ringing, the call's maximum length with its spoken warning and grace, a line that is lost and comes back,
a hang-up that somebody asked for, the end of the call on the wire. Speech and hang-ups still pass the gate; where a
hard deadline meets a denial, the deadline wins: a call always ends.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import CallCreated, HangupRequested, LineAnswered, LineClosed, LineLost, LineResumed, TimerFired
from ..core.proposals import CORE, Kind, Proposal, Purpose
from ..core.state import Line
from ..core.topics import Topic
from ..gate import acts, arbitration, debts
from ..speech import ending, turns
from . import endpointing, presence, silence

RING = "limits.ring"
WARNING = "limits.warning"
CALL = "limits.call"
GRACE = "limits.grace"
LOST = "limits.line"

# Outcomes: why a call ended, one word each, as reports count them.
NO_ANSWER = "no_answer"
CALL_LIMIT = "call_limit"
LINE_LOST = "line_lost"
CALLER_HUNG_UP = "caller_hung_up"
REQUESTED = "requested"
TRANSFERRED = "transferred"
MACHINE = "machine"


def created(draft: Draft, event: CallCreated) -> None:
    """The line rings, for so long and no longer."""
    draft.arm(RING, event.at_ms + draft.policy.limits.ring_ms)


def answered(draft: Draft, event: LineAnswered) -> None:
    """The line is open; the call's length counts from here."""
    state = draft.state
    limits = draft.policy.limits
    state.line = Line.OPEN
    state.answered_ms = event.at_ms
    draft.disarm(RING)
    draft.arm(CALL, event.at_ms + limits.call_ms)
    if 0 < limits.warning_ms < limits.call_ms and limits.warning_line:
        draft.arm(WARNING, event.at_ms + limits.call_ms - limits.warning_ms)
    silence.begin(draft, "answered")
    draft.publish(Topic.CALL, what="answered")


def line_lost(draft: Draft, event: LineLost) -> None:
    """The carrier is gone without a goodbye; it has a while to come back."""
    if draft.state.line is not Line.OPEN:
        return
    draft.state.line = Line.LOST
    limits = draft.policy.limits
    wait_ms = limits.transfer_ms if _handed_over(draft) else limits.line_lost_ms
    draft.arm(LOST, event.at_ms + wait_ms)
    draft.publish(Topic.CALL, what="line lost", reason=event.reason)


def line_resumed(draft: Draft, event: LineResumed) -> None:
    """The carrier is back; what was due meanwhile is due now."""
    state = draft.state
    draft.disarm(LOST)
    state.line = Line.OPEN
    draft.publish(Topic.CALL, what="line resumed")
    endpointing.line_resumed(draft)
    if state.silence.since_ms:
        silence.resume(draft)
    elif state.speech.current is None and endpointing.TIMER not in draft.timers:
        silence.begin(draft, "interruption")  # nobody's turn was cut: whoever lost the thread is helped


def line_closed(draft: Draft, event: LineClosed) -> None:
    """The call is over on the wire. The first reason that was given for it stands."""
    state = draft.state
    if state.line is Line.CLOSED:
        return
    state.outcome = state.outcome or _outcome(draft)
    debts.write_off_all(draft, "the call is over")
    state.line = Line.CLOSED
    draft.publish(Topic.CALL, what="closed", outcome=state.outcome, reason=event.reason)


def hangup_requested(draft: Draft, event: HangupRequested) -> None:
    """Somebody with the right to do so ends the call now: nothing is said."""
    _end(draft, REQUESTED, f"{event.by}: {event.reason}")


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """One of the call's deadlines has passed."""
    match event.timer:
        case "limits.ring":
            _end(draft, NO_ANSWER, f"rang for {draft.policy.limits.ring_ms} ms")
        case "limits.warning":
            _warn(draft)
        case "limits.call":
            _say_goodbye(draft)
        case "limits.grace":
            _end(draft, CALL_LIMIT, f"{draft.policy.limits.grace_ms} ms after the limit")
        case "limits.transfer":
            acts.unanswered(draft)
            silence.goes_on(draft)
        case "limits.machine":
            _end(draft, MACHINE, f"{draft.policy.limits.grace_ms} ms after there was nothing left to say to a machine")
        case "limits.absent":
            outcome = presence.OUTCOMES.get(draft.state.presence.reading, "")
            if outcome:
                _end(draft, outcome, f"{draft.policy.limits.grace_ms} ms after nobody had come")
        case "limits.line":
            if _handed_over(draft):  # nobody came back: the other side has taken the caller
                _end(draft, TRANSFERRED, f"not back within {draft.policy.limits.transfer_ms} ms")
            else:
                _end(draft, LINE_LOST, f"no line for {draft.policy.limits.line_lost_ms} ms")
        case "limits.closing":
            _hang_up(draft)


def _outcome(draft: Draft) -> str:
    """How a call ended that nobody had announced to be ending."""
    state = draft.state
    if state.line is Line.RINGING:
        return NO_ANSWER
    return TRANSFERRED if _handed_over(draft) else CALLER_HUNG_UP


def _handed_over(draft: Draft) -> bool:
    return acts.handed_over(draft.state.authority.grants) is not None


def _warn(draft: Draft) -> None:
    arbitration.offer(draft, _proposal(draft, Kind.SAY, draft.policy.limits.warning_line, Purpose.NOTICE, "warning"))


def _say_goodbye(draft: Draft) -> None:
    """The call's time is over: a goodbye if it can be said, the end after the grace in any case."""
    limits = draft.policy.limits
    draft.arm(GRACE, draft.state.now_ms + limits.grace_ms)
    turns.drop_round(draft)
    arbitration.offer(draft, _proposal(draft, Kind.HANGUP, limits.goodbye_line, Purpose.GOODBYE, CALL_LIMIT))


def _end(draft: Draft, outcome: str, reason: str) -> None:
    """End the call now, whatever is under way."""
    draft.state.outcome = outcome
    draft.publish(Topic.CALL, what="ending", outcome=outcome, reason=reason)
    _hang_up(draft)


def _hang_up(draft: Draft) -> None:
    ending.hang_up(draft)


def _proposal(draft: Draft, kind: Kind, text: str, purpose: Purpose, name: str) -> Proposal:
    state = draft.state
    return Proposal(
        id=f"core-{name}-{state.revision}",
        agent=CORE,
        kind=kind,
        turn=state.turn,
        basis=state.revision,
        text=text,
        purpose=purpose,
        action=name if kind is Kind.HANGUP else "",
        interruptible=False,
        priority=1.0,
        reason=f"limit: {name}",
    )
