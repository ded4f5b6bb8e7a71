"""Whose fault it is: three bases, shared by every layer.

An error says what happened, where, and what to do. Every error survives pickling (its arguments are its
constructor's arguments), because it may cross a process boundary.
"""


class OffhookError(Exception):
    """Base of every error that offhook raises on purpose."""


class CallerFault(OffhookError):
    """What was handed in is wrong; whoever handed it in can mend it."""


class Bug(OffhookError):
    """offhook itself is wrong; please report it. The call that met it goes on."""


class WorldFault(OffhookError):
    """Something outside failed (a process, a socket, a disk); retrying or degrading may help."""


class IllegalEvent(CallerFault):
    """An event that the call's state does not allow; the state is unchanged."""


class IllegalMove(CallerFault):
    """A move that the present stage of a lifecycle does not allow; the stage is unchanged."""


class PolicyError(CallerFault):
    """A policy that cannot be used. Each line of the message names file, line or field, and what is allowed."""
