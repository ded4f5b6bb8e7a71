"""How an agent is asked for its answer, and what of it goes to the call: whole, or in parts as they are yielded.

Plain agents are asked in a worker thread (`think`), asynchronous ones on the agents' loop (`think_on_the_loop`). An
agent cannot call itself fresh: its proposals are stamped here with what they were really computed from.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from offhook.policies.agents.base import reader, subscriber
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import RoundReason
from offhook.policies.core.fields import WELL_FORMED
from offhook.policies.core.proposals import Kind, Proposal, Reading, Refusal
from offhook.policies.gate.entry import PROPOSALS_MAX, proposals_of

from .failures import NotProposals, contained, guarded
from .seat import Invitation
from .thinking import cancelled_from_outside

READ_AT = (RoundReason.TURN_ENDED, RoundReason.INTERRUPTED)  # the caller may have answered something: readers are asked


def asynchronous(propose: Any) -> bool:
    """True for a coroutine function, or one that yields."""
    return inspect.iscoroutinefunction(propose) or inspect.isasyncgenfunction(propose)


def topics_of(agent: Any) -> tuple[str, ...]:
    """The notices that an agent itself wants to be told of. Raises: as its code does."""
    wants = subscriber(agent)
    return tuple(getattr(wants, "topics", ())) if wants is not None else ()


def notice_of(agent: Any) -> Any:
    """The hook by which an agent is told of notices, None without one. Raises: as its code does."""
    told = subscriber(agent)
    return told.notice if told is not None else None


def think(agent: Any, invitation: Invitation) -> tuple[Any, Any]:
    """What an agent proposes, and what it reads in the caller's answer (or why it could not); in a worker thread."""
    reads = reader(agent)
    reading: Any = None
    if reads is not None and invitation.reason in READ_AT:
        try:
            reading = reads.read(invitation.view)
        except BaseException as error:  # it costs the reading, and nothing else
            reading = contained(error)
    return agent.propose(invitation.view, invitation.reason), reading


async def think_on_the_loop(agent: Any, invitation: Invitation, tell: Callable[..., None]) -> tuple[Any, Any]:
    """The same of an asynchronous agent; what it yields is told at once, with what it has read beside the first."""
    reading = await _read_on_the_loop(agent, invitation)
    proposed = agent.propose(invitation.view, invitation.reason)
    if not hasattr(proposed, "__aiter__"):
        return await proposed, reading
    count = 0
    async with contextlib.aclosing(proposed) as parts:
        async for value in parts:
            if count == PROPOSALS_MAX:
                return [value], None  # refused, as too many
            tell(value, None if count else reading)
            count += 1
    return [], None if count else reading


async def _read_on_the_loop(agent: Any, invitation: Invitation) -> Any:
    reads = reader(agent)
    if reads is None or invitation.reason not in READ_AT:
        return None
    try:
        if inspect.iscoroutinefunction(reads.read):
            return await reads.read(invitation.view)
        return await asyncio.to_thread(guarded, reads.read, invitation.view)
    except BaseException as error:  # it costs the reading, and nothing else
        if isinstance(error, asyncio.CancelledError) and cancelled_from_outside():
            raise
        return contained(error)


def taken_in(
    agent: str, invitation: Invitation, values: Any, part: int, propose: Callable[..., Any]
) -> tuple[list[Proposal], tuple[Refusal, ...]]:
    """What an agent answered, stamped with what it was really computed from: an agent cannot call itself fresh.

    Args:
        part: how many of its proposals were sent before.
        propose: the method that was asked.

    Raises:
        NotProposals: it is no list.
    """
    if not isinstance(values, (list, tuple)):
        raise NotProposals(values, propose)
    if values and part >= PROPOSALS_MAX:
        return [], (Refusal("", Kind.SAY, "answer", WELL_FORMED, f"at most {PROPOSALS_MAX} proposals", "more"),)
    good, refused = proposals_of(values)
    turn, basis = invitation.turn, invitation.revision
    named = [(proposal.id or f"{agent}.{basis}.{number}", proposal) for number, proposal in enumerate(good, part)]
    return [replace(proposal, id=name, agent=agent, turn=turn, basis=basis) for name, proposal in named], refused


def in_fields(
    good: list[Proposal], refused: tuple[Refusal, ...], reading: Reading | None, part: int, more: bool
) -> list[Any]:
    """The fields of an ANSWER after its turn and basis; those at the end only where they say something."""
    fields: list[Any] = [[encode(proposal) for proposal in good]]
    if reading is not None or refused or part or more:
        fields += [encode(reading) if reading is not None else None, [encode(refusal) for refusal in refused]]
    return [*fields, part, more] if part or more else fields
