"""Arbitration: who is asked for proposals, and whose proposal goes to the gate first.

A round invites the agents on the state of one revision. When all have answered, or the deadline has passed, the best
proposal is judged; if the gate denies it, the next one. At most one thing is said in a round: one proposal, or one
agent's answer in parts, each part when the one before it was heard. What comes later is judged all the same (the gate
refuses what is stale, in writing). When a turn with words leads to nothing, the policy's fallback line is offered like
any proposal, and the loop breaker ends it like any loop. What is permitted is decided in `gate.py`.
"""

from __future__ import annotations

from ..core.commands import InviteAgents, RoundReason
from ..core.draft import Draft, FollowUp
from ..core.events import ActionFinished, AgentAnswered, AgentJoined, AgentLost, LineAnswered, OwnerChanged, TimerFired
from ..core.parts import replace
from ..core.proposals import ACTS, CORE, Asks, Kind, Moment, Proposal, Purpose, Verdict
from ..core.state import CallState, Holder, Line, Round, Stage, Standing
from ..core.topics import Topic
from ..evidence import owed
from ..speech import turns
from ..speech.floor import Move
from . import basis, consent, entry, execution, gate
from .case import in_order

TIMER = turns.ROUND_TIMER  # also "round.<name>": a round that an agent asked for, or that an operator's late yes needs
FAILURES_MAX = 8  # of agents, that a call remembers: who looks wants the last ones, the journal has them all
HOLD = f"{TIMER}.hold"  # a TIMER proposal named "hold": the caller waits, and the silence ladder with them

# What belongs to a stage, where priorities tie.
_FITTING: dict[Stage, frozenset[Purpose]] = {
    Stage.OPENING: frozenset({Purpose.GREETING}),
    Stage.QUALIFYING: frozenset({Purpose.QUESTION}),
    Stage.OFFERING: frozenset({Purpose.OFFER}),
    Stage.OBJECTING: frozenset({Purpose.ANSWER}),
    Stage.BOOKING: frozenset({Purpose.CONFIRMATION, Purpose.QUESTION}),
    Stage.CLOSING: frozenset({Purpose.GOODBYE}),
}


# --- rounds ---------------------------------------------------------------------------------------------------------


def open_round(draft: Draft, reason: str, debt: str = "") -> None:
    """Ask every agent for proposals on the state as it stands at the end of this step; `debt` = what it is to pay."""
    if execution.floor_free(draft):
        return  # what had waited for the floor still stood, and is being said or done: that is the answer
    _invite(draft, draft.state.agents, reason, debt)


def greeting_due(draft: Draft) -> None:
    """Ask for the greeting where nothing was said yet: whoever could have given it has come just now."""
    if _nothing_said_yet(draft.state):
        _invite(draft, draft.state.agents, RoundReason.ANSWERED)


def offer(draft: Draft, proposal: Proposal) -> Verdict:
    """Judge one proposal of the core and do what the verdict says, now."""
    stamped = _stamped(draft, proposal, proposal.turn, proposal.basis, proposal.agent, 0)
    verdict = gate.judge(draft, stamped, Moment.PROPOSED)
    execution.execute(draft, stamped, verdict)
    return verdict


def _invite(draft: Draft, agents: tuple[str, ...], reason: str, debt: str = "") -> None:
    state = draft.state
    turns.drop_round(draft)
    deadline_ms = state.now_ms + draft.policy.arbitration.deadline_ms
    reason = str(reason)  # plain, as the journal has it
    state.round = Round(state.turn, state.revision, reason, agents, deadline_ms, debt=debt)
    if not agents:
        _settle(draft)
        return
    draft.arm(TIMER, deadline_ms)
    draft.command(InviteAgents(agents, state.turn, state.revision, reason, deadline_ms))


def _settle(draft: Draft) -> None:
    """Judge what has been proposed, best first, until something is said or nothing is left."""
    found = draft.state.round
    if found is None:
        return
    late = [agent for agent in found.invited if agent not in found.answered]
    draft.state.round = None
    draft.disarm(TIMER)
    acted = _try(draft, found.proposals)
    draft.publish(
        Topic.ROUND, what="settled", reason=found.reason, proposals=len(found.proposals), acted=acted, late=late
    )
    if found.debt:
        draft.then(FollowUp.ROUND_OVER, found.debt, acted)
    elif not acted:
        _fall_back(draft, found)
    draft.then(FollowUp.SETTLE_UP)


def _try(draft: Draft, proposals: tuple[Proposal, ...]) -> bool:
    """True when at least one of these was carried out or waits. One answer of them is heard at most."""
    acted, heard = False, None
    for proposal in in_order(proposals, lambda p: _rank(draft.state, p)):
        answer = (proposal.agent, proposal.basis)
        if proposal.text and heard is not None and (not proposal.part or answer != heard):
            continue
        if execution.execute(draft, proposal, gate.judge(draft, proposal, Moment.PROPOSED)):
            acted = True
            heard = answer if proposal.text else heard
            if proposal.kind is Kind.HANDOFF:
                to = tuple(agent for agent in draft.state.agents if agent == proposal.action)
                _invite(draft, to, RoundReason.HANDOFF)
                break
    return acted


def _rank(state: CallState, proposal: Proposal) -> tuple[float, int, str, str]:
    """Priority first, then what fits an open concern or the stage; names break the tie, so that replay agrees."""
    concerned = any(c.topic == proposal.topic and c.standing is not Standing.RESOLVED for c in state.concerns)
    fitting = 2 * concerned + (proposal.purpose in _FITTING[state.stage])
    return (-proposal.priority, -fitting, proposal.agent, proposal.id)


def _fall_back(draft: Draft, found: Round) -> None:
    """A turn came to nothing: say so, rather than leave the caller in silence.

    Who goes on speaking, or has asked to wait, is left in peace.
    """
    state = draft.state
    outdated = state.evidence_revision > found.basis or not caller_is_done(state)
    if outdated or state.silence.after == "wait" or busy(state) or owed.facts(state):
        return
    spoke = state.hearing.words or "recognizer" in state.lost_parts
    line = draft.policy.arbitration.fallback_line
    if (
        found.reason not in (RoundReason.TURN_ENDED, RoundReason.INTERRUPTED)
        or not spoke
        or not line
        or state.round is not None
    ):
        return
    offer(
        draft,
        Proposal(
            id=f"core:fallback:{state.revision}",
            agent=CORE,
            kind=Kind.SAY,
            turn=state.turn,
            basis=state.revision,
            text=line,
            purpose=Purpose.REPAIR,
            asks=Asks.OPEN,
            rests_on=(basis.WORDS,),
            reason=f"no proposal was granted in the round '{found.reason}'",
        ),
    )


# --- events ---------------------------------------------------------------------------------------------------------


def answered(draft: Draft, event: LineAnswered) -> None:
    """Audio flows: greet, unless it must first be known who picked up."""
    if not draft.state.answering.armed:
        open_round(draft, RoundReason.ANSWERED)


def agent_joined(draft: Draft, event: AgentJoined) -> None:
    """An agent is ready. One that comes while its question is still open, or while nothing was said yet, is asked."""
    state = draft.state
    if event.agent not in state.agents:
        state.agents = (*state.agents, event.agent)
    draft.publish(Topic.AGENT, what="joined", agent=event.agent)
    found = state.round
    if found is not None:
        if event.agent not in found.answered and found.turn == state.turn:
            # Also one that was asked before: its link is new, and an answer on the former one never came.
            if event.agent not in found.invited:
                state.round = replace(found, invited=(*found.invited, event.agent))
            draft.command(InviteAgents((event.agent,), state.turn, state.revision, found.reason, found.deadline_ms))
        return
    greeting_due(draft)


def agent_lost(draft: Draft, event: AgentLost) -> None:
    """An agent is gone: the others go on, and nobody waits for it."""
    state = draft.state
    state.agents = tuple(agent for agent in state.agents if agent != event.agent)
    way = {"trace": list(event.trace), "pii_message": event.pii_message} if event.trace else {}
    state.failures = (*state.failures, (event.agent, event.at_ms, event.reason))[-FAILURES_MAX:]
    draft.publish(Topic.AGENT, what="lost", agent=event.agent, reason=event.reason, **way)
    found = state.round
    if found is not None and event.agent in found.invited:
        state.round = replace(found, invited=tuple(agent for agent in found.invited if agent != event.agent))
        _settle_if_complete(draft)


def owner_changed(draft: Draft, event: OwnerChanged) -> None:
    """Another process took the call over: answers were on their way to the former one, so they have their time anew.

    The agents are asked again as they join (`agent_joined`).
    """
    found = draft.state.round
    if found is not None and any(agent not in found.answered for agent in found.invited):
        deadline_ms = event.at_ms + draft.policy.arbitration.deadline_ms
        draft.state.round = replace(found, deadline_ms=deadline_ms)
        draft.arm(TIMER, deadline_ms)


def agent_answered(draft: Draft, event: AgentAnswered) -> None:
    """An agent's answer, or a part of it: into the round that asked for it, or, late, straight to the gate."""
    state = draft.state
    reading = entry.reading_of(event.reading) if event.reading is not None else None
    if reading is not None:
        consent.read_by(draft, event.agent, event.turn, reading)
    found = state.round
    late = found is None or event.turn != found.turn or event.agent not in found.invited or event.basis < found.basis
    if found is not None and not late and _known(found, event):
        return  # the same answer once more, after a link was re-opened
    proposals = _taken_in(draft, event)
    if found is None or late:
        _try(draft, proposals)
        return
    answered = found.answered if event.more else (*found.answered, event.agent)
    # Not what it began before.
    former = [p for p in found.proposals if p.agent != event.agent or p.basis == event.basis]
    state.round = replace(found, answered=answered, proposals=(*former, *proposals))
    _settle_if_complete(draft)
    if reading is not None and state.authority.waiting and caller_is_done(state):
        execution.floor_free(draft)


def action_finished(draft: Draft, event: ActionFinished) -> None:
    """A tool is done: the agents may speak of it, at once or as soon as nobody speaks."""
    draft.then(FollowUp.SETTLE_UP)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """The round's deadline, or a round that was asked for: now, or as soon as nobody speaks."""
    if event.timer == TIMER:
        _settle(draft)
    else:
        owed.owe(draft, "timer", event.timer.removeprefix(f"{TIMER}."))
        draft.then(FollowUp.SETTLE_UP)


def yield_to_facts(draft: Draft) -> None:
    """The caller made a sound and is silent again, and nothing was read of it yet: a fact may be told meanwhile."""
    if draft.state.floor.holder is Holder.CALLER:
        turns.move(draft, Move.CALLER_YIELDS)


# --- parts ----------------------------------------------------------------------------------------------------------


def _known(found: Round, event: AgentAnswered) -> bool:
    came = ((p.agent, p.basis, p.part) for p in found.proposals)
    return event.agent in found.answered or (event.agent, event.basis, event.part) in came


def _settle_if_complete(draft: Draft) -> None:
    found = draft.state.round
    if found is not None and all(agent in found.answered for agent in found.invited):
        _settle(draft)


def _taken_in(draft: Draft, event: AgentAnswered) -> tuple[Proposal, ...]:
    """What may be judged of an answer; what may not is denied, in writing."""
    if not event.proposals and not event.refused:
        return ()  # as most answers are
    good, refused = entry.proposals_of(event.proposals)
    for refusal in (*entry.refusals_of(event.refused), *refused):
        gate.turn_away(draft, event.agent, refusal)
    turn, basis, agent, part = event.turn, event.basis, event.agent, event.part
    return tuple(
        _stamped(draft, proposal, turn, basis, agent, number + part, part) for number, proposal in enumerate(good)
    )


def _stamped(
    draft: Draft, proposal: Proposal, turn: int, basis: int, agent: str, number: int, part: int = 0
) -> Proposal:
    """The proposal under the name, turn and revision that it really came from, with an expiry and an id."""
    return replace(
        proposal,
        part=part,
        id=proposal.id or f"{agent}:{basis}:{number}",
        agent=agent,
        turn=turn,
        basis=basis,
        expires_ms=proposal.expires_ms or draft.state.now_ms + draft.policy.gate.proposal_lifetime_ms,
    )


def _nothing_said_yet(state: CallState) -> bool:
    """The line is open and neither side has been heard: the greeting is still due."""
    undecided = state.answering.armed and not state.answering.decided
    return (
        state.line is Line.OPEN
        and not undecided
        and state.speech.current is None
        and state.speech.last is None
        and caller_is_done(state)
    )


def caller_is_done(state: CallState) -> bool:
    """Nobody but the agent holds the floor."""
    return not state.hearing.speaking and state.floor.holder in (Holder.NOBODY, Holder.AGENT)


def busy(state: CallState) -> bool:
    """True while the caller waits for something that the call does: a tool, a transfer, a hold.

    A hold is a TIMER proposal named "hold": the agents are asked again when it is over. An operator's yes that is
    awaited has a limit of its own (`approvals.py`).
    """
    return (
        HOLD in state.timers
        or bool(state.authority.approvals)
        or any(grant.proposal.kind in ACTS for grant in state.authority.grants)
    )
