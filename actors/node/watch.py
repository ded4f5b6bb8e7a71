"""The watch: which residents of this node still beat. Silence is judged here; what follows, the supervisor does.

A process that died is seen by its closed link and its outstanding `run()` within milliseconds. The watch is for the
one that hangs: stopped, or with a loop that never comes back. Two things must not be taken for that. The supervisor's
own pause: silence is counted in the watch's ticks, so a late tick counts once, however late it was. And starvation: a
process that waits for a core is late, not hung; the kernel tells how long it has waited (schedstat). One that is
stopped (SIGSTOP) will not beat whatever is waited: the kernel tells that too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TICK_MS = 50  # a hung process is noticed this much after its limit at the latest
HUNG_MS = 450  # without a beat while a call is live: more than two beats; with a tick on top it is half a second
IDLE_HUNG_MS = 10_000  # while nothing is live: ten beats, and nobody waits for it
DRIFT_BEATS = 8  # a second of a live process's beats
STARVED_FACTOR = 6  # a starved process gets this many times the limit before it counts as hung


def waited_ms(pid: int) -> int:
    """How long the main thread of a process has waited for a core since it started, in ms; 0 where the kernel does not
    say. Source: Linux, Documentation/scheduler/sched-stats.rst, second field."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) // 1_000_000
    except (OSError, IndexError, ValueError):
        return 0


def stopped(pid: int) -> bool:
    """Whether a process is stopped. Source: proc_pid_stat(5), field 3."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False


@dataclass(slots=True)
class Pulse:
    """What the watch knows of one resident."""

    pid: int
    live: bool = False
    silent_ms: int = 0
    waited_ms: int = -1  # as it was when the silence became suspicious; -1 = it is not
    lag_ms: float = 0.0  # of its loop, by its last beat
    drift_ms: float = 0.0  # the same, smoothed over DRIFT_BEATS: one late beat is an accident, ten are a full node
    worst_lag_ms: float = 0.0
    accused: bool = False


class Watch:
    """Counts silence. `accuse(name, why)` is called once for each resident that hangs."""

    def __init__(
        self,
        accuse: Callable[[str, str], None],
        hung_ms: int = HUNG_MS,
        idle_hung_ms: int = IDLE_HUNG_MS,
        waited: Callable[[int], int] = waited_ms,
        is_stopped: Callable[[int], bool] = stopped,
    ) -> None:
        self._accuse = accuse
        self._hung_ms = hung_ms
        self._idle_hung_ms = idle_hung_ms
        self._waited = waited
        self._is_stopped = is_stopped
        self._pulses: dict[str, Pulse] = {}

    def add(self, name: str, pid: int, live: bool) -> None:
        """A resident has connected; its silence counts from now."""
        self._pulses[name] = Pulse(pid, live)

    def remove(self, name: str) -> None:
        """It is gone, or its link is: other signs tell of it now."""
        self._pulses.pop(name, None)

    def live(self, name: str) -> None:
        """Work begins there: from now on it must beat in the fast rhythm."""
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.live = True
            pulse.silent_ms = 0
            pulse.waited_ms = -1

    def beat(self, name: str, lag_ms: float, live: bool) -> None:
        """It beats, and says in which rhythm it will go on."""
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.live = live
            pulse.silent_ms = 0
            pulse.waited_ms = -1
            pulse.lag_ms = lag_ms
            pulse.drift_ms += (lag_ms - pulse.drift_ms) / DRIFT_BEATS if live else -pulse.drift_ms
            pulse.worst_lag_ms = max(pulse.worst_lag_ms, lag_ms)

    def lags(self) -> dict[str, float]:
        """The last reported lag of each live resident, in ms."""
        return {name: pulse.lag_ms for name, pulse in self._pulses.items() if pulse.live}

    def drifts(self) -> list[float]:
        """The smoothed lag of each live resident, in ms."""
        return [pulse.drift_ms for pulse in self._pulses.values() if pulse.live]

    def tick(self) -> None:
        """Another `TICK_MS` have passed (or more: a late tick counts once)."""
        for name, pulse in tuple(self._pulses.items()):
            pulse.silent_ms += TICK_MS
            limit_ms = self._hung_ms if pulse.live else self._idle_hung_ms
            if pulse.silent_ms * 2 >= limit_ms and pulse.waited_ms < 0:
                pulse.waited_ms = self._waited(pulse.pid)
            if pulse.accused or pulse.silent_ms * 2 < limit_ms:
                continue
            if self._is_stopped(pulse.pid):
                pulse.accused = True
                self._accuse(name, f"no beat for {pulse.silent_ms} ms: the process is stopped")
            elif pulse.silent_ms >= limit_ms:
                self._judge(name, pulse, limit_ms)

    def _judge(self, name: str, pulse: Pulse, limit_ms: int) -> None:
        starved_ms = self._waited(pulse.pid) - pulse.waited_ms
        suspected_ms = pulse.silent_ms - limit_ms // 2
        if starved_ms * 2 >= suspected_ms and pulse.silent_ms < limit_ms * STARVED_FACTOR:
            return  # it wants to run and is not let: killing it would not help, and it will beat again
        pulse.accused = True
        self._accuse(
            name, f"no beat for {pulse.silent_ms} ms, {limit_ms} allowed; {starved_ms} ms of it without a core"
        )
