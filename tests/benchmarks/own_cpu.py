"""The CPU time of the process that asks, in seconds: user and system, all threads."""

from __future__ import annotations

import resource


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
