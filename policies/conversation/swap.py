"""Swap: another policy takes a live call over. When it may, and what the state is brought to.

Belongs here: the safe point, and the reducer of `PolicyChanged`. The state itself stays: stage, slots, evidence,
concerns, authority and what the caller has heard are facts, whoever interprets them. What the former version's agents
computed is fenced by the turn number; a round that was open is asked anew. Which policy folds the events from here on
is told by the journal's "policy" record right before that event (`replay/replay.py`); who writes it, and when, is
`actors/call/swap.py`'s.

    at a safe point     nothing is being said, granted, judged or asked: nobody can tell the moment
    forced              at any moment between two events. What is being said is said to its end, what was granted is
                        carried out, an undecided overlap is decided by the new thresholds; what waits for the floor
                        was the former agents' and is denied in writing
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import PolicyChanged
from ..core.parts import replace
from ..core.proposals import RuleResult
from ..core.state import CallState, Line
from ..core.topics import Topic
from ..gate import acts, arbitration, execution
from ..speech import turns
from . import limits, silence


def unsafe(state: CallState) -> str:
    """Why another policy had better not take over at this moment; "" = this is a safe point.

    The caller may be speaking, also after an interruption that is not understood yet: nothing is permitted meanwhile,
    and whoever leads the call when the words are in understands them. One who always interrupts leaves no other moment.
    """
    authority = state.authority
    if state.line is Line.CLOSED or state.outcome:
        return "the call is ending"
    if state.speech.current is not None:
        return "an utterance is under way"
    if authority.grants:
        return "what was granted is not carried out yet"
    if authority.waiting:
        return "what is permitted waits for the floor"
    if state.overlap is not None:
        return "an overlap is undecided"
    if state.round is not None:
        return "a round of proposals is open"
    if state.answering.armed and not state.answering.decided:
        return "it is not known who picked up"
    return ""


def policy_changed(draft: Draft, event: PolicyChanged) -> None:
    """Another policy leads from here on; `draft.policy` is that one."""
    state = draft.state
    asked = state.round
    state.policy_version = event.version
    state.agents = tuple(agent for agent in event.agents if agent in draft.policy.agents)
    draft.publish(Topic.POLICY, version=event.version, reason=event.reason, agents=list(state.agents))
    acts.withdraw_all(draft)
    execution.abandon(draft, RuleResult("fresh", f"of policy {event.version}", "of the policy before", False))
    turns.new_turn(draft, "policy")
    _length_of_call(draft)
    _length_of_silence(draft)
    if asked is not None:
        arbitration.open_round(draft, asked.reason)
    else:
        arbitration.greeting_due(draft)


def _length_of_call(draft: Draft) -> None:
    """The limit counts from the answer, as ever. One that is passed already is due now; so is a warning not given."""
    state, wanted = draft.state, draft.policy.limits
    if limits.CALL not in draft.timers:
        return
    until_ms = max(state.now_ms, state.answered_ms + wanted.call_ms)
    draft.arm(limits.CALL, until_ms)
    if not (0 < wanted.warning_ms < wanted.call_ms and wanted.warning_line):
        draft.disarm(limits.WARNING)
    elif limits.WARNING in draft.timers or until_ms - wanted.warning_ms > state.now_ms:
        draft.arm(limits.WARNING, max(state.now_ms, until_ms - wanted.warning_ms))


def _length_of_silence(draft: Draft) -> None:
    """The room that a silence is given at first. Later rungs keep their moment: they were put off by what was said."""
    found = draft.state.silence
    if found.rung != 1 or not found.since_ms or found.suspended_ms or draft.timers.get(silence.TIMER) is None:
        return
    if draft.timers[silence.TIMER] != found.deadline_ms:
        return  # a sound puts it off
    until_ms = found.since_ms + silence.room_ms(draft, found.after)
    draft.state.silence = replace(found, deadline_ms=until_ms)
    draft.arm(silence.TIMER, max(draft.state.now_ms, until_ms))
