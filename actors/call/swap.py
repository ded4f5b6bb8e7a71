"""Another policy for one live call, on the call's side: the offer, the moment, the trial, and the way back.

    SWAP ─▶ offer: doors open to the new version's agents; each joins, is asked once on the present view (what it
            proposes is thrown away) and so has shown that it neither raises nor hangs; the former agents' memories
         ─▶ swap, at the first safe point (`conversation/swap.py`) or the deadline: "policy" record, `PolicyChanged`;
            funnel, voice (and its recordings), ears and doors go by it; the former agents' links are laid aside
         ─▶ trial: a bug of the core under the new policy, or a new agent that fails, brings the former policy and its
            agents back, again by a "policy" record; an event that could not be folded is folded then
         ─▶ SWAPPED, and the former agents go

Whatever goes wrong before the swap costs the call nothing: it was never led by that version. At the deadline "force"
swaps at once, between two events, and cuts nothing that is spoken; "keep" leaves the call as it is. Who begins swaps,
and for which calls, is `swaps.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from offhook.policies.conversation import machine
from offhook.policies.conversation.swap import unsafe
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import PolicyChange
from offhook.policies.core.state import Line
from pydantic import ValidationError

from ..contracts import wire
from ..contracts.errors import ProtocolFault
from ..contracts.setup import Setup
from ..engines.engines import clips_of
from ..engines.sources import ClipSource
from ..link.link import Link
from .offer import Offer, Seats, dismiss

if TYPE_CHECKING:
    from .runtime import CallRuntime

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
    """The swaps of one call, one at a time."""

    def __init__(self, call: CallRuntime) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._offer: Offer | None = None
        self._asked = (0, False)  # the deadline of the offer in ms, and whether it is forced then
        self._overdue = False  # the deadline has passed
        self._deadline: asyncio.TimerHandle | None = None
        self._trial: _Trial | None = None
        self._revision = 0  # of the state after the last event
        self._look_soon = False

    # --- the offer --------------------------------------------------------------------------------------------------

    def offered(self, fields: list[Any]) -> None:
        """The supervisor wants a version to lead the call: the fields of SWAP behind the epoch.

        Raises:
            ProtocolFault: not the fields of an offer.
        """
        match fields:
            case [str(version), dict(plain), dict(tokens), int(deadline_ms), str(at_deadline), str(clips)]:
                self._take_offer(version, plain, tokens, deadline_ms, at_deadline, clips)
            case _:
                raise ProtocolFault("an offer has a version, a policy, tokens, deadline_ms, at_deadline and clips")

    def _take_offer(
        self,
        version: str,
        plain: dict[str, Any],
        tokens: dict[str, str],
        deadline_ms: int,
        at_deadline: str,
        clips: str,
    ) -> None:
        call = self._call
        if version == call.setup.policy_version and self._trial is None:
            self._tell(version, "")
            return
        try:
            policy = self._checked(version, plain, tokens, at_deadline)
            spoken = clips_of(call.synthesizer) if clips != call.setup.engines.clips else None
            recordings = ClipSource(clips) if spoken is not None else None
        except (ValidationError, OffhookError) as error:
            self._tell(version, f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # a bug that the new thresholds bring to light: better now than in a minute
            log.exception("the core fails under the new policy", extra={"call": call.setup.call})
            self._tell(version, f"the core fails under it: {type(error).__name__}")
            return
        self._asked = (deadline_ms, at_deadline == FORCE)
        self._overdue = False
        offer = self._offer = Offer(
            call, version, policy, plain, tokens, recordings, self.look, lambda why: self._refuse(offer, why)
        )
        call.call_links.admit_agents(SUCCESSOR, tokens)
        self._deadline = self._loop.call_later(deadline_ms / 1_000, self._deadline_passed, offer)
        call.uplink.send(wire.OFFERED, call.setup.call, call.setup.epoch, version)

    def _checked(self, version: str, plain: dict[str, Any], tokens: dict[str, str], at_deadline: str) -> Policy:
        call = self._call
        if self._offer is not None or self._trial is not None:
            raise ProtocolFault("another swap of this call is under way")
        if at_deadline not in (FORCE, KEEP):
            raise ProtocolFault(f"at the deadline a swap is of {FORCE!r} or {KEEP!r}, not {at_deadline!r}")
        if call.led_by_nobody:
            raise ProtocolFault("the call is only said goodbye to")
        policy = Policy.model_validate(plain)
        if set(tokens) != set(policy.agents):
            raise ProtocolFault("a swap needs one token for each agent of the new version")
        changed = ev.PolicyChanged(max(call.now(), call.state.now_ms), version, tuple(policy.agents))
        view_of(machine.step(call.state, changed, policy).state, policy)
        return policy

    def hello(self, link: Link, role: str, agent: str, topics: list[str]) -> None:
        """An agent of the offered version joins, or one that was laid aside comes back.

        Raises:
            ProtocolFault: nobody waits for it.
        """
        offer, trial = self._offer, self._trial
        if role == FORMER and trial is not None:
            self._lay_aside(trial, agent, link, topics)
            return
        if role != SUCCESSOR or offer is None:
            raise ProtocolFault("this agent's version does not lead the call any more")
        offer.joined(link, agent, topics)

    def remembered(self, agent: str, number: int, memory: dict[str, Any], keeps: bool) -> None:
        """A former agent tells what its successor should know."""
        if self._offer is not None:
            self._offer.remembered(agent, number, memory, keeps)

    def _refuse(self, offer: Offer, why: str) -> None:
        """The call stays as it is, and never was led by that version."""
        if offer is not self._offer:
            return
        self._offer = None
        self._undeadline()
        offer.end(why)
        self._tell(offer.version, why)

    def _undeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- the moment -------------------------------------------------------------------------------------------------

    def settled(self, event: ev.Event) -> None:
        """After an event and its effects: is this the moment? Has the core failed?"""
        trial, offer = self._trial, self._offer
        if trial is not None and self._call.funnel.faults > trial.faults:
            trial.faults = self._call.funnel.faults
            if self._call.state.revision == self._revision and len(trial.unfolded) < EVENTS_MAX:
                trial.unfolded.append(event)
            self._undo_soon(trial, f"the core fails under it, in {type(event).__name__}")
        elif offer is not None:
            if self._call.state.round is not None:
                offer.invited()
            elif not self._look_soon:
                self._look_soon = True
                self._loop.call_soon(self._look_now)
        self._revision = self._call.state.revision

    def _look_now(self) -> None:
        self._look_soon = False
        self.look()

    def _deadline_passed(self, offer: Offer) -> None:
        if offer is self._offer:
            self._overdue = True
            self.look()

    def look(self) -> None:
        """Swap, if this moment (never inside an event) is one for it."""
        offer, call = self._offer, self._call
        if offer is None or not offer.ready:
            return
        if call.ending or call.state.outcome or call.state.line is Line.CLOSED:
            self._refuse(offer, f"{KEPT}the call is ending")
            return
        if call.takeover_resume is not None and not call.takeover_resume.over:
            self._loop.call_later(LOOK_MS / 1_000, self.look)  # its agents and its line come back first
            return
        deadline_ms, force = self._asked
        why = unsafe(call.state)
        if why and not (self._overdue and force):
            if self._overdue:
                self._refuse(offer, f"{KEPT}no safe point within {deadline_ms} ms: {why}")
        elif offer.has_memories(as_of_now=not self._overdue):
            self._offer = None
            self._undeadline()
            offer.end()
            self._swap(offer)

    def _swap(self, offer: Offer) -> None:
        call, former = self._call, self._call.setup
        trial = self._trial = _Trial(former, call.policy, offer.version, offer.tokens, offer.clips, call.funnel.faults)
        call.call_links.admit_agents(FORMER, former.agent_tokens)
        for subscriber in call.broadcaster.set_agents_aside():
            self._lay_aside(trial, subscriber.name, subscriber.link, sorted(subscriber.topics))
        call.call_links.admit_agents("agent", offer.tokens)
        for agent, (link, topics) in offer.seats.items():
            call.call_links.seat(link, agent, topics)
            link.send(wire.UPGRADE, offer.memories.get(agent, {}))  # also empty: what it saw in rehearsal is forgotten
        setup = replace(former, policy_version=offer.version, policy=offer.plain, agent_tokens=dict(offer.tokens))
        if offer.clips is not None:
            setup = replace(setup, engines=replace(former.engines, clips=offer.clips.folder))
        self._lead_by(setup, offer.policy, trial.clips, "")
        trial.timers.append(self._loop.call_later(TRIAL_MS / 1_000, self._proved, trial))

    def _lead_by(self, setup: Setup, policy: Policy, clips: ClipSource | None, reason: str) -> None:
        """From the next event on the call is led by `policy`. The snapshot before it spares whoever takes the call over
        from here on two policies for one tail."""
        call, version = self._call, setup.policy_version
        call.funnel.snapshot()
        call.hearing.write_place()
        call.recorder.tell(call.now(), PolicyChange(setup.policy, version, reason))
        call.policy = call.funnel.policy = policy
        call.setup = setup
        call.voice.policy = policy.voice
        spoken = clips_of(call.synthesizer)
        if clips is not None and spoken is not None:
            spoken.exchange(clips)
        call.hearing.lead_by(policy.ears)
        call.take(ev.PolicyChanged(call.now(), version, tuple(call.broadcaster.agents()), reason))
        call.recorder.flush()

    # --- the trial --------------------------------------------------------------------------------------------------

    def _lay_aside(self, trial: _Trial, agent: str, link: Link, topics: list[str]) -> None:
        """A former agent's link stays open for the way back; what it says meanwhile is fenced and not even read."""
        trial.aside[agent] = (link, topics)
        link.on_message = lambda _link, _message: None
        link.on_close = lambda closed, _reason: self._aside_left(trial, agent, closed)

    def _aside_left(self, trial: _Trial, agent: str, link: Link) -> None:
        if trial.aside.get(agent, (None,))[0] is link:
            del trial.aside[agent]

    def agent_failed(self, agent: str, reason: str) -> None:
        """An agent at its seat has raised, hung or left."""
        if self._trial is not None and agent in self._trial.tokens:
            self._undo_soon(self._trial, f"agent {agent} fails: {reason}")

    def _undo_soon(self, trial: _Trial, why: str) -> None:
        if not trial.failed:
            trial.failed = why
            self._loop.call_soon(self._undo, trial)

    def _undo(self, trial: _Trial) -> None:
        """The former policy leads again, with its agents; what could not be folded is folded now."""
        call = self._call
        if trial is not self._trial or call.ending or call.led_by_nobody:
            return
        self._end_trial(trial)
        why = f"undone: {trial.failed}"
        log.error("a swap is undone: %s", trial.failed, extra={"call": call.setup.call})
        failed = {each.name: (each.link, sorted(each.topics)) for each in call.broadcaster.set_agents_aside()}
        call.call_links.revoke(trial.tokens)
        dismiss(failed, why)
        call.call_links.admit_agents("agent", trial.former.agent_tokens)
        for agent, (link, topics) in trial.aside.items():
            call.call_links.seat(link, agent, topics)
        self._lead_by(trial.former, trial.former_policy, trial.clips, trial.failed)
        for event in trial.unfolded:
            call.take(event)
        self._tell(trial.version, why)

    def _proved(self, trial: _Trial) -> None:
        if trial.failed or trial is not self._trial:
            return
        self._end_trial(trial)
        self._call.call_links.revoke(trial.former.agent_tokens)
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
            self._end_trial(trial)
            dismiss(trial.aside, "the call is over")
            self._tell(trial.version, trial.failed)  # if it did not fail, it led the call to its end

    def _tell(self, version: str, refusal: str) -> None:
        setup = self._call.setup
        self._call.uplink.send(wire.SWAPPED, setup.call, setup.epoch, version, refusal)
