"""One call's broadcaster: what subscribers are told, and what happens to the slow ones.

Agents and observers (console, shadow policies, timelines) subscribe over a link of their own. A notice carries its
sequence number, the revision and the turn, so that a subscriber can tell what it missed and what is fenced. Each
subscriber has a bounded queue; publishing never waits:

    backlog                 observer                                       agent
    up to `soft_bytes`      gets every notice                              gets every notice and invitation
    over it                 conflated: the newest notice of each topic     notices are left out (an invitation carries
                            is kept and sent when it reads again           the whole view), invitations still go out
    over it for `stall_ms`,
    or over `hard_bytes`    cut off                                        cut off

What is told is the core's matter (`Publish`, `InviteAgents`); what an answer means is the runtime's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..contracts.errors import ProtocolFault
from ..contracts.messages import Gone, Invite
from ..contracts.messages import Notice as NoticeMessage
from ..link.link import Link

KINDS = ("agent", "observer")
ALL_TOPICS = "*"  # of notices; not EVENTS
# What a call takes in and decides, encoded (`policies/core/codec.py`); the first holds the state so far.
EVENTS = "events"
DRAIN_MS = 50  # how often a conflated subscriber is looked at again: the eye of a console does not see more
TOPICS_MAX = 64  # names that one subscriber may list

Notice = tuple[int, int, int, str, Mapping[str, Any]]  # seq, revision, turn, topic, body


class Followed(Protocol):
    """Where events come from: a funnel."""

    follower: Callable[[list[Any], list[Any], int, int], None] | None

    def encoded(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one call's broadcaster."""

    subscribers_max: int = 32
    recent_max: int = 256  # notices kept for a late subscriber: about half a minute of lively talk
    soft_bytes: int = 64 << 10
    hard_bytes: int = 1 << 20
    stall_ms: int = 5_000


@dataclass(slots=True, eq=False)
class Subscriber:
    """One subscriber's queue. `held` keeps the newest notice of each topic while it does not read."""

    name: str
    kind: str
    topics: frozenset[str]
    link: Link
    held: dict[str, Notice] = field(default_factory=dict)
    skipped: int = 0  # notices that this subscriber will never get
    slow_since: float = 0.0  # loop time; 0 = it keeps up

    def wants(self, topic: str) -> bool:
        return topic in self.topics or ALL_TOPICS in self.topics


class Broadcaster:
    """Subscribers of one call. `on_left(subscriber, reason)` is told when one is gone, whoever closed."""

    def __init__(self, on_left: Callable[[Subscriber, str], None], bounds: Bounds | None = None) -> None:
        self._on_left = on_left
        self._bounds = bounds or Bounds()
        self._subscribers: list[Subscriber] = []
        self._recent: deque[Notice] = deque(maxlen=self._bounds.recent_max)
        self._drain: asyncio.TimerHandle | None = None
        self._closed = False
        self._followers: tuple[Subscriber, ...] = ()
        self._snapshot: Callable[[], Any] | None = None
        self.seq = 0
        self.cut_off = 0  # slow subscribers cut off so far
        self.conflated = 0  # notices replaced by newer ones of their topic so far

    def go_on(self, seq: int, recent: Iterable[Notice]) -> None:
        """A former owner has told `seq` notices, these as the last: numbers go on, and who missed some gets them."""
        self.seq = seq
        self._recent.extend(recent)

    def join(self, link: Link, name: str, kind: str, topics: list[str], since_seq: int = -1) -> Subscriber:
        """Take a link in as a subscriber; it gets the recent notices after `since_seq` first (-1 = none).

        An agent that joins under a name that is taken replaces the older link: its host was restarted.

        Raises:
            ProtocolFault: an unknown kind, too many topics, or too many subscribers.
        """
        if kind not in KINDS:
            raise ProtocolFault(f"subscriber kind {kind!r}: allowed are {', '.join(KINDS)}")
        if not isinstance(topics, list) or len(topics) > TOPICS_MAX or not all(isinstance(t, str) for t in topics):
            raise ProtocolFault(f"topics must be a list of at most {TOPICS_MAX} names")
        if kind == "agent":
            self._replace(name)
        if len(self._subscribers) >= self._bounds.subscribers_max:
            raise ProtocolFault(f"this call has {self._bounds.subscribers_max} subscribers, no more are taken")
        subscriber = Subscriber(name, kind, frozenset(topics), link)
        link.backlog_bytes_max = self._bounds.hard_bytes
        link.on_close = lambda _link, reason: self._left(subscriber, reason)
        self._subscribers.append(subscriber)
        if kind == "observer" and EVENTS in subscriber.topics and self._snapshot is not None:
            self._followers = (*self._followers, subscriber)
            link.send(*NoticeMessage(0, 0, 0, EVENTS, {"snapshot": self._snapshot()}))
        if since_seq >= 0:
            for notice in self._recent:
                if notice[0] > since_seq and subscriber.wants(notice[3]):
                    self._deliver(subscriber, notice)
        return subscriber

    def follow(self, funnel: Followed) -> None:
        """Have a funnel's events told to those who subscribed to EVENTS; while nobody did, that costs one call each."""
        self._snapshot = funnel.encoded
        funnel.follower = self._tell_event

    def _tell_event(self, event: list[Any], commands: list[Any], revision: int, turn: int) -> None:
        if not self._followers:
            return
        told = NoticeMessage(0, revision, turn, EVENTS, {"event": event, "commands": commands})
        for subscriber in self._followers:
            if subscriber.link.backlog_bytes > self._bounds.soft_bytes:
                subscriber.link.abort("cut off: it does not keep up with the call's events")  # a gap is worth nothing
            else:
                subscriber.link.send(*told)

    def publish(self, topic: str, body: Mapping[str, Any], revision: int, turn: int) -> None:
        """Tell the subscribers of `topic`. Never waits, never raises because of a subscriber."""
        self.seq += 1
        notice = (self.seq, revision, turn, topic, body)
        self._recent.append(notice)
        for subscriber in tuple(self._subscribers):
            if subscriber.wants(topic):
                self._deliver(subscriber, notice)

    def invite(
        self, agents: tuple[str, ...], turn: int, revision: int, reason: str, deadline_ms: int, view: Any
    ) -> tuple[str, ...]:
        """Ask agents for proposals on `view`; returns those that could not be asked."""
        asked = set()
        for subscriber in tuple(self._subscribers):
            if (
                subscriber.kind == "agent"
                and subscriber.name in agents
                and subscriber.link.send(*Invite(turn, revision, reason, deadline_ms, view))
            ):
                asked.add(subscriber.name)
        return tuple(agent for agent in agents if agent not in asked)

    def tell_agent(self, agent: str, *message: Any) -> bool:
        """Send to one agent; False where it has no link."""
        return any(s.link.send(*message) for s in self._subscribers if s.kind == "agent" and s.name == agent)

    def set_agents_aside(self) -> list[Subscriber]:
        """Take the agents out without telling anybody; their links stay open and are the caller's from here on."""
        aside = [subscriber for subscriber in self._subscribers if subscriber.kind == "agent"]
        self._subscribers = [subscriber for subscriber in self._subscribers if subscriber.kind != "agent"]
        return aside

    def agents(self) -> list[str]:
        """Names of the agents that are connected now."""
        return [subscriber.name for subscriber in self._subscribers if subscriber.kind == "agent"]

    def stats(self) -> dict[str, Any]:
        """Counts, for the state reply."""
        return {
            "notices": self.seq,
            "cut_off": self.cut_off,
            "conflated": self.conflated,
            "subscribers": [
                {"name": s.name, "kind": s.kind, "backlog_bytes": s.link.backlog_bytes, "skipped": s.skipped}
                for s in self._subscribers
            ],
        }

    def close(self, reason: str) -> None:
        """Tell everybody that there is nothing more to come."""
        self._closed = True
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
        for subscriber in tuple(self._subscribers):
            subscriber.link.send(*Gone(reason))
            subscriber.link.close(reason)
        self._subscribers.clear()
        self._followers = ()

    # --- one subscriber ---------------------------------------------------------------------------------------------

    def _deliver(self, subscriber: Subscriber, notice: Notice) -> None:
        link = subscriber.link
        if link.backlog_bytes <= self._bounds.soft_bytes:
            if subscriber.held:
                self._send_held(subscriber)
            subscriber.slow_since = 0.0
            link.send(*NoticeMessage(*notice))
            return
        if subscriber.kind == "agent":
            subscriber.skipped += 1
        else:
            if subscriber.held.pop(notice[3], None) is not None:
                subscriber.skipped += 1
                self.conflated += 1
            subscriber.held[notice[3]] = notice
        self._slow(subscriber)

    def _send_held(self, subscriber: Subscriber) -> None:
        held, subscriber.held = subscriber.held, {}
        for notice in held.values():  # insertion order is the order of their sequence numbers
            subscriber.link.send(*NoticeMessage(*notice))

    def _slow(self, subscriber: Subscriber) -> None:
        loop = asyncio.get_running_loop()
        if not subscriber.slow_since:
            subscriber.slow_since = loop.time()
        if (loop.time() - subscriber.slow_since) * 1_000 > self._bounds.stall_ms:
            subscriber.link.abort(f"cut off: it has not read for {self._bounds.stall_ms} ms")
            return
        if self._drain is None and not self._closed:
            self._drain = loop.call_later(DRAIN_MS / 1_000, self._look_again)

    def _look_again(self) -> None:
        self._drain = None
        for subscriber in tuple(self._subscribers):
            if not subscriber.slow_since:
                continue
            if subscriber.link.backlog_bytes <= self._bounds.soft_bytes:
                subscriber.slow_since = 0.0
                self._send_held(subscriber)
            else:
                self._slow(subscriber)

    def _replace(self, name: str) -> None:
        for subscriber in tuple(self._subscribers):
            if subscriber.kind == "agent" and subscriber.name == name:
                self._subscribers.remove(subscriber)
                subscriber.link.on_close = None  # it has not left: its successor is here
                subscriber.link.close("another link of this agent took its place")

    def _left(self, subscriber: Subscriber, reason: str) -> None:
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._followers = tuple(each for each in self._followers if each is not subscriber)
            if reason.startswith("cut off") or "unread" in reason:
                self.cut_off += 1
            self._on_left(subscriber, reason)
