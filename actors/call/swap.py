"""Another policy for one live call, on the call's side: the offer, the moment, the trial, and the way back.

    SWAP ─▶ offer: doors open to the new version's agents; each joins, is asked once on the present view (what it
            proposes is thrown away) and so has shown that it neither raises nor hangs; the former agents' memories
         ─▶ swap, at the first safe point (`policies/conversation/swap.py`) or the deadline: a "policy" record and
            `PolicyChanged`; funnel, voice (and its recordings), ears and doors go by it; the former agents' links are
            laid aside
         ─▶ trial: a bug of the core under the new policy, or a new agent that fails, brings the former policy and its
            agents back, again by a "policy" record; an event that could not be folded is folded then
         ─▶ SWAPPED, and the former agents go

Whatever goes wrong before the swap costs the call nothing: it was never led by that version. At the deadline "force"
swaps at once, between two events, and cuts nothing that is spoken; "keep" leaves the call as it is. Who begins swaps,
and for which calls, is `node/swaps.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from offhook.policies.conversation import machine
from offhook.policies.conversation.swap import unsafe
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import PolicyChange
from offhook.policies.core.state import Line

from ..contracts.errors import ProtocolFault
from ..contracts.messages import Upgrade
from ..contracts.node_messages import Offered, Swap, Swapped
from ..contracts.sent_policy import sent_policy
from ..contracts.setup import Setup
from ..engines.engines import clips_of, lead_by
from ..engines.sources import ClipSource
from ..link.link import Array, Link
from .agent_seats import AgentSeats, agent_hello, refuse_if_over
from .call_tokens import CallTokens
from .lifecycle import CORELESS, Stage
from .offer import Offer, Seats, Version, dismiss
from .session import Parts, Session
from .swap_lifecycle import SwapMove, SwapStage, of_swap

log = logging.getLogger(__name__)

SUCCESSOR, FORMER = "successor", "former"  # roles of agents' tokens beside "agent": of the offered, of the laid-aside
FORCE, KEEP = "force", "keep"
KEPT = "kept: "  # how a refusal begins that is nobody's fault: no moment for it came
TRIAL_MS = 1_000  # under the new policy before the former is let go: some ten events of a lively call
LOOK_MS = 50  # between two looks while a takeover is not finished
EVENTS_MAX = 32  # that could not be folded during a trial and are folded after it


@dataclass(slots=True)
class _Trial:
    """A version that leads and may still have to go."""

    former: Setup
    former_policy: Policy
    version: str
    tokens: Mapping[str, str]
    clips: ClipSource | None  # the recordings that are not spoken with at this moment
    faults: int  # of the core, when it began
    aside: Seats = field(default_factory=dict)
    unfolded: list[ev.Event] = field(default_factory=list)
    failed: str = ""  # why it is undone
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


class PolicySwap:
    """The swaps of one call, one at a time. How far one is, `lifecycle` says (`swap_lifecycle.py`)."""

    def __init__(self, session: Session, parts: Parts, seats: AgentSeats, tokens: CallTokens) -> None:
        self.lifecycle = of_swap(session.setup.call)
        self._session = session
        self._parts = parts
        self._seats = seats
        self._tokens = tokens
        self._loop = session.loop
        self._offer: Offer | None = None
        self._asked = (0, False)  # the deadline of the offer in ms, and whether it is forced then
        self._overdue = False  # the deadline has passed
        self._deadline: asyncio.TimerHandle | None = None
        self._trial: _Trial | None = None
        self._revision = 0  # of the state after the last event
        self._look_soon = False

    # --- the offer --------------------------------------------------------------------------------------------------

    def offered(self, order: Swap) -> None:
        """The supervisor wants a version to lead the call."""
        version, plain, tokens, clips = order.version, order.policy, order.tokens, order.clips
        session = self._session
        if version == session.setup.policy_version and self._trial is None:
            self._tell(version, "")
            return
        try:
            policy = self._checked(version, plain, tokens, order.at_deadline)
            spoken = clips_of(self._parts.synthesizer) if clips != session.setup.engines.clips else None
            offered = Version(version, policy, plain, tokens, ClipSource(clips) if spoken is not None else None)
        except OffhookError as error:
            self._tell(version, f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # a bug that the new thresholds bring to light: better now than in a minute
            log.exception("the core fails under the new policy", extra={"call": session.setup.call})
            self._tell(version, f"the core fails under it: {type(error).__name__}")
            return
        self._asked = (order.deadline_ms, order.at_deadline == FORCE)
        self._overdue = False
        self.lifecycle.move(SwapMove.OFFER)
        funnel, seats = self._parts.funnel, self._seats
        offer = self._offer = Offer(
            offered, self.lifecycle, funnel, seats, self._tokens, self.look, lambda why: self._refuse(offer, why)
        )
        self._admit(SUCCESSOR, tokens)
        self._deadline = self._loop.call_later(order.deadline_ms / 1_000, self._deadline_passed, offer)
        session.uplink.send(*Offered(session.setup.call, session.setup.epoch, version))

    def _admit(self, role: str, tokens: Mapping[str, str]) -> None:
        for agent, token in tokens.items():
            self._tokens.admit(self, role, agent, token)

    def _checked(self, version: str, plain: Mapping[str, Any], tokens: Mapping[str, str], at_deadline: str) -> Policy:
        if not self.lifecycle.may(SwapMove.OFFER):
            raise ProtocolFault("another swap of this call is under way")
        if at_deadline not in (FORCE, KEEP):
            raise ProtocolFault(f"at the deadline a swap is of {FORCE!r} or {KEEP!r}, not {at_deadline!r}")
        if self._session.stage in CORELESS:
            raise ProtocolFault("the call is only said goodbye to")
        policy = sent_policy(plain)
        if set(tokens) != set(policy.agents):
            raise ProtocolFault("a swap needs one token for each agent of the new version")
        state = self._parts.funnel.state
        changed = ev.PolicyChanged(max(self._session.now(), state.now_ms), version, tuple(policy.agents))
        view_of(machine.step(state, changed, policy).state, policy)
        return policy

    def hello(self, link: Link, role: str, name: str, rest: Array) -> None:
        """An agent of the offered version joins, or one that was laid aside comes back.

        Raises:
            ProtocolFault: the call is over, nobody waits for it, or its hello is none.
        """
        refuse_if_over(self._session)
        topics = agent_hello(link, role, rest).topics
        offer, trial = self._offer, self._trial
        if role == FORMER and trial is not None:
            self._lay_aside(trial, name, link, topics)
            return
        if role != SUCCESSOR or offer is None:
            raise ProtocolFault("this agent's version does not lead the call any more")
        offer.joined(link, name, topics)

    def _refuse(self, offer: Offer, why: str) -> None:
        """The call stays as it is, and never was led by that version."""
        if offer is not self._offer:
            return
        self.lifecycle.move(SwapMove.REFUSE)
        self._offer = None
        self._undeadline()
        offer.end(why)
        self._tell(offer.version.name, why)

    def _undeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- the moment -------------------------------------------------------------------------------------------------

    def settled(self, event: ev.Event) -> None:
        """After an event and its effects: is this the moment? Has the core failed?"""
        trial, offer, funnel = self._trial, self._offer, self._parts.funnel
        if trial is not None and funnel.faults > trial.faults:
            trial.faults = funnel.faults
            if funnel.state.revision == self._revision and len(trial.unfolded) < EVENTS_MAX:
                trial.unfolded.append(event)
            self._undo_soon(trial, f"the core fails under it, in {type(event).__name__}")
        elif trial is not None and isinstance(event, ev.AgentLost) and event.agent in trial.tokens:
            self._undo_soon(trial, f"agent {event.agent} fails: {event.reason}")
        elif offer is not None:
            if funnel.state.round is not None:
                offer.invited()
            elif not self._look_soon:
                self._look_soon = True
                self._loop.call_soon(self._look_now)
        self._revision = funnel.state.revision

    def _look_now(self) -> None:
        self._look_soon = False
        self.look()

    def _deadline_passed(self, offer: Offer) -> None:
        if offer is self._offer:
            self._overdue = True
            self.look()

    def look(self) -> None:
        """Swap, if this moment (never inside an event) is one for it."""
        offer, state = self._offer, self._parts.funnel.state
        if offer is None or self.lifecycle.stage is not SwapStage.REHEARSED:
            return
        if self._session.stage is not Stage.LIVE or state.outcome or state.line is Line.CLOSED:
            self._refuse(offer, f"{KEPT}the call is ending")
            return
        if not self._session.awaited.settled:
            self._loop.call_later(LOOK_MS / 1_000, self.look)  # its agents and its line come back first
            return
        deadline_ms, force = self._asked
        why = unsafe(state)
        if why and not (self._overdue and force):
            if self._overdue:
                self._refuse(offer, f"{KEPT}no safe point within {deadline_ms} ms: {why}")
        elif offer.has_memories(as_of_now=not self._overdue):
            self._offer = None
            self._undeadline()
            offer.end()
            self._swap(offer)

    def _swap(self, offer: Offer) -> None:
        session, broadcaster, version = self._session, self._parts.broadcaster, offer.version
        former = session.setup
        self.lifecycle.move(SwapMove.LEAD)
        trial = self._trial = _Trial(
            former, session.policy, version.name, version.agent_tokens, version.clips, self._parts.funnel.faults
        )
        self._admit(FORMER, former.agent_tokens)
        for subscriber in broadcaster.set_agents_aside():
            self._lay_aside(trial, subscriber.name, subscriber.link, sorted(subscriber.topics))
        self._seats.admit(version.agent_tokens)
        for agent, (link, topics) in offer.seats.items():
            self._seats.seat(link, agent, topics)
            link.send(*Upgrade(offer.memories.get(agent, {})))  # also empty: what it saw in rehearsal is forgotten
        tokens = dict(version.agent_tokens)
        setup = replace(former, policy_version=version.name, policy=version.plain, agent_tokens=tokens)
        if version.clips is not None:
            setup = replace(setup, engines=replace(former.engines, clips=version.clips.folder))
        self._lead_by(setup, version.policy, trial.clips, "")
        trial.timers.append(self._loop.call_later(TRIAL_MS / 1_000, self._proved, trial))

    def _lead_by(self, setup: Setup, policy: Policy, clips: ClipSource | None, reason: str) -> None:
        """From the next event on the call is led by `policy`. The snapshot before it spares whoever takes the call over
        from here on two policies for one tail."""
        session, parts, version = self._session, self._parts, setup.policy_version
        parts.funnel.snapshot()
        parts.hearing.write_place()
        session.recorder.tell(session.now(), PolicyChange(setup.policy, version, reason))
        session.policy = parts.funnel.policy = policy
        session.setup = setup
        parts.voice.policy = policy.voice
        spoken = clips_of(parts.synthesizer)
        if clips is not None and spoken is not None:
            spoken.exchange(clips)
        parts.hearing.lead_by(policy.ears)
        lead_by(parts.hearing.recognizer, parts.synthesizer, setup, policy.engine_speech())
        session.take(ev.PolicyChanged(session.now(), version, tuple(parts.broadcaster.agents()), reason))
        session.recorder.flush()

    # --- the trial --------------------------------------------------------------------------------------------------

    def _lay_aside(self, trial: _Trial, agent: str, link: Link, topics: list[str]) -> None:
        """A former agent's link stays open for the way back; what it says meanwhile is fenced and not even read."""
        trial.aside[agent] = (link, topics)
        link.on_message = lambda _link, _message: None
        link.on_close = lambda closed, _reason: self._aside_left(trial, agent, closed)

    def _aside_left(self, trial: _Trial, agent: str, link: Link) -> None:
        if trial.aside.get(agent, (None,))[0] is link:
            del trial.aside[agent]

    def _undo_soon(self, trial: _Trial, why: str) -> None:
        if self.lifecycle.may(SwapMove.FAIL):  # else it has failed before, and goes for that
            self.lifecycle.move(SwapMove.FAIL)
            trial.failed = why
            self._loop.call_soon(self._undo, trial)

    def _undo(self, trial: _Trial) -> None:
        """The former policy leads again, with its agents; what could not be folded is folded now."""
        session = self._session
        if trial is not self._trial or session.stage is not Stage.LIVE:
            return
        self.lifecycle.move(SwapMove.UNDO)
        self._end_trial(trial)
        why = f"undone: {trial.failed}"
        log.error("a swap is undone: %s", trial.failed, extra={"call": session.setup.call})
        failed = {each.name: (each.link, sorted(each.topics)) for each in self._parts.broadcaster.set_agents_aside()}
        self._tokens.revoke(trial.tokens.values())
        dismiss(failed, why)
        self._seats.admit(trial.former.agent_tokens)
        for agent, (link, topics) in trial.aside.items():
            self._seats.seat(link, agent, topics)
        self._lead_by(trial.former, trial.former_policy, trial.clips, trial.failed)
        for event in trial.unfolded:
            session.take(event)
        self._tell(trial.version, why)

    def _proved(self, trial: _Trial) -> None:
        if trial is not self._trial or not self.lifecycle.may(SwapMove.PROVE):
            return  # it is over, or it has failed at the last moment
        self.lifecycle.move(SwapMove.PROVE)
        self._end_trial(trial)
        self._tokens.revoke(trial.former.agent_tokens.values())
        dismiss(trial.aside, "another version leads the call")
        self._tell(trial.version, "")

    def _end_trial(self, trial: _Trial) -> None:
        self._trial = None
        for timer in trial.timers:
            timer.cancel()

    def close(self) -> None:
        """The call is over: so is its swap."""
        if self._offer is not None:
            self._refuse(self._offer, f"{KEPT}the call is over")
        if self._trial is not None:
            trial = self._trial
            self.lifecycle.move(SwapMove.CLOSE)
            self._end_trial(trial)
            dismiss(trial.aside, "the call is over")
            self._tell(trial.version, trial.failed)  # if it did not fail, it led the call to its end

    def _tell(self, version: str, refusal: str) -> None:
        session = self._session
        session.uplink.send(*Swapped(session.setup.call, session.setup.epoch, version, refusal))
