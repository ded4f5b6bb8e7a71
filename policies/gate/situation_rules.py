"""The gate's rules on how the call stands: may anything be said or done now? The table of all rules is `rules.py`.

Who is on the line, who speaks, which words are still on their way, whether the call is ending. What the caller has
agreed to is `agreement.py`'s; how often and by whose leave, `limit_rules.py`'s.
"""

from __future__ import annotations

from ..core.far_end import Answering
from ..core.proposals import CORE, Kind, Moment, Purpose
from ..core.state import Holder, Line, Sign
from ..speech import turns
from .case import Case, Result, listed

TIMERS_MAX = 8  # rounds that agents have asked for at a later moment, in one call


def line(case: Case) -> Result:
    """The caller is on the line."""
    return str(Line.OPEN), str(case.state.line), case.state.line is Line.OPEN


def answering(case: Case) -> Result | None:
    """Nothing while it is undecided who picked up; a machine gets its message after the beep, a screener the core's."""
    found = case.state.answering
    if not found.armed or (case.proposal.kind is Kind.HANGUP and not case.heard):
        return None
    actual = f"{found.decided or 'undecided'} after {case.state.now_ms - found.armed_ms} ms"
    if case.heard:
        why = locked(found, case.proposal.purpose)
        if not why and found.decided == "screening" and case.proposal.agent != CORE:
            why = "only the core answers a screener"
        return "free to speak", f"{actual}: {why}" if why else actual, not why
    return "a person", actual, found.decided == "human"


def locked(answering: Answering, purpose: Purpose) -> str:
    """Why nothing may be said for this purpose now; empty = it may."""
    if not answering.armed or answering.decided == "human":
        return ""
    if not answering.decided:
        return "who picked up is undecided"
    if answering.decided == "screening":
        return ""
    if answering.beep_ms and purpose is Purpose.MESSAGE:
        return ""
    return "a machine is answered after its beep only" if not answering.beep_ms else "a machine is left a message only"


def presence(case: Case) -> Result | None:
    """Nothing is said to a recording, and nobody is put through to it. The core may end the call."""
    found = case.state.presence
    concerned = case.heard or case.proposal.kind is Kind.TRANSFER
    if not found.recorded or not concerned or (case.proposal.agent == CORE and case.proposal.kind is Kind.HANGUP):
        return None
    return "a person to talk to", f"{found.reading} for {case.state.now_ms - found.since_ms} ms", False


def authority(case: Case) -> Result | None:
    """An interruption suspends authority until the new words are understood. The core may end a call at any time."""
    if case.proposal.kind is Kind.HANGUP and case.proposal.agent == CORE:
        return None
    since_ms = case.state.authority.suspended_since_ms
    return "not suspended", f"suspended for {case.state.now_ms - since_ms} ms" if since_ms else "in force", not since_ms


def floor(case: Case) -> Result | None:
    """What is heard, what cannot be undone, and a transfer wait until nobody speaks; on leaving, for the caller."""
    if not case.heard and not case.needs.irreversible and case.proposal.kind is not Kind.TRANSFER:
        return None
    state = case.state
    silent = not state.hearing.speaking and state.overlap is None
    current = state.speech.current
    if case.moment is Moment.EXECUTION and not case.heard:
        ok = silent and state.floor.holder in (Holder.NOBODY, Holder.AGENT)
    else:
        ok = state.floor.holder is Holder.NOBODY and current is None and silent
    actual = f"{state.floor.holder} for {state.now_ms - state.floor.since_ms} ms"
    if current is not None:
        actual += f", {current.id} {current.playing}"
    return "nobody speaks", actual, ok


def unread(case: Case) -> Result | None:
    """Before something leaves that words may overturn, those that are on their way are waited for."""
    if case.moment not in (Moment.FLOOR, Moment.EXECUTION):
        return None
    if not case.needs.irreversible and case.proposal.kind is not Kind.TRANSFER:
        return None
    most_ms = case.policy.endpointing.unread_ms
    waited_ms = _silent_ms(case)
    ok = waited_ms >= most_ms or not turns.unread(case.state)
    return f"the caller's words read, or {most_ms} ms gone", f"unread for {waited_ms} ms" if not ok else "read", ok


def overheard(case: Case) -> Result | None:
    """Speech after a clean yes was read: where nobody listens, or is long behind with it, it may have been a no."""
    given, hearing = case.state.consent, case.state.hearing
    if case.needs.yes != "clean" or given is None or case.moment not in (Moment.FLOOR, Moment.EXECUTION):
        return None
    wanted = "the caller's words after the yes read"
    if hearing.onset_ms <= given.at_ms:
        return wanted, "nothing was said", True
    if "recognizer" in case.state.lost_parts:
        return wanted, "spoken, and nobody listens", False
    waited_ms = _silent_ms(case)
    late = turns.unread(case.state) and waited_ms >= case.policy.endpointing.unread_ms
    return wanted, f"spoken {waited_ms} ms ago, and not read" if late else "read", not late


def ending(case: Case) -> Result | None:
    """Once the goodbye is on its way, nothing new is begun."""
    if not case.state.outcome or case.proposal.kind is Kind.HANGUP:
        return None
    return "the call goes on", f"ending: {case.state.outcome}", False


def stop(case: Case) -> Result | None:
    """A request not to be called is honoured at once: only the goodbye is left."""
    ledger = case.state.ledger
    asked = ledger.stopped >= 0 or any(ledger.signals[number].sign is Sign.STOP for number in ledger.open)
    if not asked or case.proposal.kind is Kind.HANGUP:
        return None
    goodbye = case.proposal.purpose is Purpose.GOODBYE
    return "only a goodbye", "asked not to be called", goodbye or not case.heard


def handoff(case: Case) -> Result | None:
    """To an agent that is here: of anybody else's round nobody would answer."""
    if case.proposal.kind is not Kind.HANDOFF or not case.proposal.action:
        return None
    here = case.state.agents
    return f"one of {listed(here) or 'nobody'}", case.proposal.action, case.proposal.action in here


def timers(case: Case) -> Result | None:
    """Agents wait for a few things at a time; more is a loop that never comes round."""
    if case.proposal.kind is not Kind.TIMER:
        return None
    armed = [
        name for name in case.state.timers if name.startswith("round.") and name != f"round.{case.proposal.action}"
    ]
    return f"fewer than {TIMERS_MAX} rounds to come", str(len(armed)), len(armed) < TIMERS_MAX


def stage(case: Case) -> Result | None:
    """The conversation stands where this belongs."""
    if not case.needs.stages:
        return None
    return listed(case.needs.stages), str(case.state.stage), case.state.stage in case.needs.stages


def _silent_ms(case: Case) -> int:
    """Since the caller last spoke."""
    return case.state.now_ms - case.state.hearing.ended_ms
