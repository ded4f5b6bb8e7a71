"""Who follows live calls of a node from outside (the console, by the API): one observer's link a call, whoever asks.

Each followed call's notices are kept here, the last NOTICES_MAX, so that one who asks again goes on where it was, by
the notices' sequence numbers; nobody reads a journal for it. The link is opened when somebody asks, again when another
process has the call, and closed when nobody has asked for a while. What a notice is, the call's broadcaster says.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..call.broadcaster import ALL_TOPICS, KINDS
from ..contracts.call_operations import News, TimedNotice
from ..contracts.errors import LinkLost, NoSuchCall
from ..contracts.message import read
from ..contracts.messages import PROTOCOL, TO_OBSERVER_FROM_CALL, Gone, Notice, SubscriberHello
from ..link.link import Array, Link, connect
from .call_table import CallRow

NOTICES_MAX = 512  # kept of a call: a minute of lively talk
FOLLOWED_MAX = 64  # calls of one node; the one that nobody has asked about for longest gives way
IDLE_S = 30.0  # after the last question a call is not followed any more
WAIT_S_MAX = 20.0  # for news, in one question: proxies give up after 30 or 60 s
RETRY_S = 0.1  # between two links to one call: one that ends is live still for a moment, and admits nobody
JOIN_S = 2.0  # for the link, also in a question that waits for no news; it takes a millisecond
NAME, OBSERVER = "followers", KINDS[1]


class _Followed:
    """One call that is followed."""

    def __init__(self, row: CallRow) -> None:
        self.row = row
        self.link: Link | None = None
        self.over = False
        self.joining = asyncio.Lock()
        self.notices: deque[TimedNotice] = deque(maxlen=NOTICES_MAX)
        self.news = asyncio.Event()  # set and replaced at each piece of news
        self.joined_s = 0.0  # when a link was opened last, or tried
        self.asked_s = 0.0
        self.asking = 0

    def heard(self, array: Array) -> None:
        """A message of the call's broadcaster."""
        match read(array, TO_OBSERVER_FROM_CALL):
            case Notice(seq, revision, turn, topic, body):
                at_ms = time.time_ns() // 1_000_000 - self.row.origin_unix_ms
                if self.notices and seq <= self.notices[-1].seq:
                    self.notices.clear()  # its present owner had not known of the last ones: numbers are used again
                self.notices.append(TimedNotice(seq, at_ms, revision, turn, topic, body))
            case Gone():
                self.over = True
        self.wake()

    def wake(self) -> None:
        """Somebody may be waiting for this."""
        self.news.set()
        self.news = asyncio.Event()

    def lost(self, link: Link) -> None:
        """The link has closed: the call is over, or led by another process, or this observer was too slow."""
        if link is self.link:
            self.link = None
            self.wake()

    def after(self, seq: int) -> News | None:
        """What is kept after `seq`; None = nothing is new."""
        if not self.notices:
            return None
        oldest, newest = self.notices[0].seq, self.notices[-1].seq
        if seq == newest:
            return None
        anew = seq > newest  # of another numbering
        found = tuple(notice for notice in self.notices if anew or notice.seq > seq)
        gaps = found[-1].seq - found[0].seq >= len(found)  # conflated: this observer read slowly
        missed = anew or gaps or 0 <= seq < oldest - 1
        return News(found, newest, missed)


class CallFollowers:
    """The followed calls of one node. `owner` finds a live call's row, and waits while it is taken over."""

    def __init__(self, owner: Callable[[str], Awaitable[CallRow]]) -> None:
        self._owner = owner
        self._followed: dict[str, _Followed] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def follow(self, call: str, after_seq: int, wait_s: float) -> News:
        """What is new of a live call after `after_seq` (-1 = all that is kept); waits for it up to `wait_s`.

        Raises:
            NoSuchCall: it is not live here. Who has followed it until its end is told so by `live` False.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + min(max(0.0, wait_s), WAIT_S_MAX)
        join_until_s = max(until_s, loop.time() + JOIN_S)
        followed = self._followed.get(call) or self._begin(await self._owner(call))
        followed.asking += 1
        try:
            while self._followed.get(call) is followed:
                live = await self._joined(call, followed, after_seq, join_until_s)
                news, waiter = followed.after(after_seq), followed.news
                if news is not None:
                    return replace(news, live=live)
                if not live:
                    return _nothing(after_seq, live=False)
                async with asyncio.timeout_at(until_s):
                    await waiter.wait()
        except TimeoutError:
            pass
        finally:
            followed.asking -= 1
            followed.asked_s = loop.time()
        return _nothing(after_seq, live=True)

    def close(self) -> None:
        """Follow nothing any more."""
        if self._sweep is not None:
            self._sweep.cancel()
        for call in tuple(self._followed):
            self._leave(call)

    # --- links ------------------------------------------------------------------------------------------------------

    def _begin(self, row: CallRow) -> _Followed:
        if row.call in self._followed:  # somebody else began meanwhile
            return self._followed[row.call]
        if len(self._followed) >= FOLLOWED_MAX:
            self._leave(min(self._followed, key=lambda call: self._followed[call].asked_s))
        followed = self._followed[row.call] = _Followed(row)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_S, self._leave_idle)
        return followed

    async def _joined(self, call: str, followed: _Followed, after_seq: int, until_s: float) -> bool:
        """Have a link to the present owner of the call; False = it is over. Raises: TimeoutError: not by `until_s`."""
        async with asyncio.timeout_at(until_s), followed.joining:
            loop = asyncio.get_running_loop()
            while followed.link is None and not followed.over:
                await asyncio.sleep(max(0.0, followed.joined_s + RETRY_S - loop.time()))
                followed.joined_s = loop.time()
                try:
                    followed.row = row = await self._owner(call)
                except NoSuchCall:
                    followed.over = True
                    break
                since = followed.notices[-1].seq if followed.notices else max(0, after_seq)
                with contextlib.suppress(LinkLost):  # it dies at this moment: another owner follows
                    link = await connect(
                        row.endpoint,
                        row.observer_token,
                        *SubscriberHello(NAME, OBSERVER, [ALL_TOPICS], since, PROTOCOL).fields,
                        on_message=lambda _link, message: followed.heard(message),
                        on_close=lambda closed, _reason: followed.lost(closed),
                    )
                    followed.link = link if link.open else None
        return not followed.over

    def _leave(self, call: str) -> None:
        followed = self._followed.pop(call)
        link, followed.link = followed.link, None
        if link is not None:
            link.close("nobody follows this call any more")
        followed.wake()

    def _leave_idle(self) -> None:
        loop = asyncio.get_running_loop()
        for call, followed in tuple(self._followed.items()):
            if not followed.asking and loop.time() - followed.asked_s >= IDLE_S:
                self._leave(call)
        self._sweep = loop.call_later(IDLE_S, self._leave_idle) if self._followed else None


def _nothing(after_seq: int, live: bool) -> News:
    return News((), after_seq, live=live)
