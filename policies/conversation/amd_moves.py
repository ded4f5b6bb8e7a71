"""The moves of `amd.py`: where the question of who picked up stands, and what moves it. Data only."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where the question stands."""

    OFF = ""
    WAITING = "waiting"  # nothing heard yet
    TALKING = "talking"
    PAUSING = "pausing"
    HUMAN = "human"
    SUSPECTED = "suspected"  # a machine by its cadence alone; human words still correct that
    GREETING = "greeting"  # a machine by its words; its greeting goes on
    BEEPED = "beeped"  # the message may be left
    LEAVING = "leaving"  # it is being left
    SCREENING = "screening"  # the screener waits for an answer
    REPLYING = "replying"  # it is being told who calls
    OVER = "over"  # message left, or nothing to leave: the call ends


class Cause(StrEnum):
    """What moves it. The upper half carries Asterisk's own names."""

    INITIALSILENCE = "INITIALSILENCE"
    HUMAN = "HUMAN"
    MAXWORDS = "MAXWORDS"
    LONGGREETING = "LONGGREETING"
    MAXWORDLENGTH = "MAXWORDLENGTH"
    TOOLONG = "TOOLONG"
    MACHINEWORDS = "MACHINEWORDS"
    SCREENINGWORDS = "SCREENINGWORDS"
    HUMANWORDS = "HUMANWORDS"
    KEY = "KEY"  # no machine presses one
    TURNS = "TURNS"  # somebody speaks and falls silent again and again while the message is left
    BEEP = "BEEP"
    NOBEEP = "NOBEEP"  # a wait has outlasted its limit, or there is nothing to wait for
    VOICE = "VOICE"
    QUIET = "QUIET"
    SAYING = "SAYING"
    SAID = "SAID"


_P, _C = Phase, Cause
_CADENCE = (_C.MAXWORDS, _C.LONGGREETING, _C.MAXWORDLENGTH)
UNDECIDED = (_P.WAITING, _P.TALKING, _P.PAUSING)
# Until the call is over, somebody may turn out to be there after all.
_OPEN = (*UNDECIDED, _P.SUSPECTED, _P.GREETING, _P.BEEPED, _P.LEAVING, _P.SCREENING, _P.REPLYING)

# (phase, cause) -> phase. What is not listed changes nothing. TOOLONG goes where the policy's default says.
MOVES: dict[tuple[Phase, Cause], Phase] = {
    (_P.WAITING, _C.VOICE): _P.TALKING,
    (_P.PAUSING, _C.VOICE): _P.TALKING,
    (_P.TALKING, _C.QUIET): _P.PAUSING,
    (_P.WAITING, _C.INITIALSILENCE): _P.SUSPECTED,
    **{(_P.TALKING, cause): _P.SUSPECTED for cause in _CADENCE},
    **{(_P.PAUSING, cause): _P.SUSPECTED for cause in _CADENCE},
    (_P.PAUSING, _C.HUMAN): _P.HUMAN,
    **{(phase, _C.HUMANWORDS): _P.HUMAN for phase in _OPEN},
    **{(phase, _C.KEY): _P.HUMAN for phase in _OPEN},
    (_P.LEAVING, _C.TURNS): _P.HUMAN,
    **{(phase, _C.TOOLONG): _P.HUMAN for phase in UNDECIDED},
    **{(phase, _C.MACHINEWORDS): _P.GREETING for phase in (*UNDECIDED, _P.SUSPECTED, _P.HUMAN)},
    **{(phase, _C.SCREENINGWORDS): _P.SCREENING for phase in (*UNDECIDED, _P.SUSPECTED, _P.HUMAN, _P.GREETING)},
    **{(phase, _C.BEEP): _P.BEEPED for phase in (*UNDECIDED, _P.SUSPECTED, _P.HUMAN, _P.GREETING)},
    (_P.SUSPECTED, _C.NOBEEP): _P.OVER,
    (_P.GREETING, _C.NOBEEP): _P.OVER,
    (_P.BEEPED, _C.NOBEEP): _P.OVER,
    (_P.BEEPED, _C.SAYING): _P.LEAVING,
    (_P.LEAVING, _C.SAID): _P.OVER,
    (_P.LEAVING, _C.NOBEEP): _P.OVER,
    (_P.SCREENING, _C.SAYING): _P.REPLYING,
    (_P.SCREENING, _C.NOBEEP): _P.OVER,
    (_P.REPLYING, _C.SAID): _P.WAITING,
    (_P.REPLYING, _C.NOBEEP): _P.OVER,
}

# What each phase says about who picked up; a phase that is absent leaves the answer as it is.
DECIDED: dict[Phase, str] = {
    _P.HUMAN: "human",
    _P.SUSPECTED: "machine",
    _P.GREETING: "machine",
    _P.BEEPED: "machine",
    _P.SCREENING: "screening",
}
