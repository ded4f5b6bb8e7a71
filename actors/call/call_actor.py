"""The call actor: how a call's process comes up. What it does then is `call.py`'s.

A sync Ray actor whose only method `run` never returns: it runs an event loop of its own. So the process costs nothing
while idle (an async actor's loop would wake a hundred times a second), the hot path shares its loop with nothing of
Ray's, and the outstanding `run` is the watch: it fails within milliseconds when the process dies.

It comes up beside calls that are live. What it has to import and to run once is done in a thread of lower priority
than theirs: on Linux a thread has a priority of its own, and lowering it asks for no right, while only a privileged
process could raise its own again. So this module imports nothing else of a call.
"""

from __future__ import annotations

import logging
import os
import threading

import uvloop

log = logging.getLogger(__name__)

START_NICENESS = 5  # a third of the weight of a live call's process, where both want the same core


class CallActor:
    """One warm process for calls. Ray starts it; see `refs.ResidentRef`."""

    def run(self, endpoint: str, token: str, name: str, node: str = "", leaves: bool = False) -> str:
        """Serve calls until the supervisor retires this process; returns why it ended.

        Args:
            leaves: when the node's raylet is gone, this process ends at once: its call can go on on another node.
        """
        come_up()
        from .call import serve_calls  # here: imported by then, at the lower priority

        return str(uvloop.run(serve_calls(endpoint, token, name, node, leaves)))


def come_up() -> None:
    """Import what a call needs and run it once, without taking a core from live calls. Blocks until it is done."""
    thread = threading.Thread(target=_warm, name="warm-up")
    thread.start()
    thread.join()


def _warm() -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), START_NICENESS)
    except OSError as refused:  # then it comes up like any other process
        log.info("the start keeps its priority: %s", refused)
    from . import call as _call  # noqa: F401 - all that `run` needs comes with it
    from .warm_up import warm_up

    warm_up()
