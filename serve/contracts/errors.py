"""What can go wrong at the door; the bases are those of `offhook.policies.core.errors`.

Only the errors that this folder raises itself. What a web client sees of them is `web/problems.py`'s matter, what a
carrier sees of them is the close code and reason that a `LineFault` carries.
"""

from __future__ import annotations

from offhook.policies.core.errors import CallerFault, WorldFault


class LineFault(CallerFault):
    """A carrier's socket did what its protocol does not allow; that line is closed, no other is touched.

    `kind` names the sort of fault for counting ("token", "json", "order", "sequence", "format", "size"), `reason` says
    what was wrong and what is allowed, `code` is the WebSocket close code (RFC 6455, section 7.4).
    """

    def __init__(self, kind: str, reason: str, code: int = 1002) -> None:
        super().__init__(kind, reason, code)
        self.kind = kind
        self.reason = reason
        self.code = code

    def __str__(self) -> str:
        return self.reason


class TokenFault(CallerFault):
    """A media token is forged, damaged, out of date, or was used before."""


class SettingFault(CallerFault):
    """A setting or a command-line option has a value that it cannot have."""


class ScriptFault(CallerFault):
    """A caller's script cannot be used; the message names file, line or field, and what is allowed."""


class NotRunning(WorldFault):
    """No offhook runs here (or it does not answer); the message says how to start one."""


class StartFault(WorldFault):
    """offhook could not start: a port is taken, Ray did not come up, an engine is missing."""


class StopFault(WorldFault):
    """offhook was asked to end and has not."""
