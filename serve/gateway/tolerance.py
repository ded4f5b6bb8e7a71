"""What is borne of a carrier in the middle of a call: messages that cannot be read are dropped and counted.

One bad message is no reason to hang up on a caller, who has not sent it. A stream of which most cannot be read carries
no conversation any more: it is given up, and the carrier may open another. Which message is bad is `carriers/`' matter,
closing the socket `gateway.py`'s.
"""

from __future__ import annotations

import logging
from collections import Counter, deque

log = logging.getLogger(__name__)

BAD_MAX = 50  # a second of frames: fewer are a hiccup of the carrier's, whatever else comes
WINDOW_S = 10.0  # bad ones that are spread over longer than this are chatter (a word this version does not know, sent
# every second into a silence in which the carrier sends no sound) and never cost a call
LOG_EVERY_S = 10.0  # at most one line a gateway, however many sockets send however much


class Tolerance:
    """Of one socket. Costs something only where a message is bad; the good ones are counted by the line anyway."""

    __slots__ = ("_recent",)

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque(maxlen=BAD_MAX)  # of each bad one: when, good ones before it

    def bears(self, now_s: float, good: int) -> bool:
        """Take note of a bad message. False = bad ones are most of what comes: give the socket up.

        Args:
            good: messages of the stream that could be read so far; its frames are nearly all of them.

        That is so when the last BAD_MAX came within WINDOW_S, with fewer good ones among them than bad.
        """
        recent = self._recent
        recent.append((now_s, good))
        if len(recent) < BAD_MAX:
            return True
        since_s, good_before = recent[0]
        return now_s - since_s > WINDOW_S or good - good_before >= BAD_MAX - 1


class Dropped:
    """What a gateway has dropped, by kind; says so in the log now and then, never with what was in a message."""

    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()  # kinds are those of `LineFault`: a handful
        self._told = 0
        self._tell_from_s = 0.0

    def note(self, kind: str, call: str, now_s: float) -> None:
        """One message of a call's stream was dropped."""
        self.by_kind[kind] += 1
        if now_s < self._tell_from_s:
            return
        total = self.by_kind.total()
        log.warning(
            "carrier messages dropped; the calls go on",
            extra={"call": call, "fault": kind, "dropped": total - self._told, "dropped_in_all": total},
        )
        self._told, self._tell_from_s = total, now_s + LOG_EVERY_S
