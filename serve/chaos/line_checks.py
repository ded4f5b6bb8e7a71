"""What the caller's side knows, held against the call's journal: all that the caller did or heard is accounted for.

The softphone's record has keys, clips and their moments, the marks that it was sent, and how many bytes it had played
at every clear; so it is known to the millisecond how far an utterance was heard, without asking anybody of offhook.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from offhook.actors.audio.format import BYTES_PER_MS
from offhook.policies.core import events as ev
from offhook.policies.simulation.chaos import FAULTS

from .journal_checks import Account, Check, Evidence

WORD_MS = 450  # a spoken word with its pause: what is noted as heard is right within one
GAP_MS_MAX = 200  # inside of the agent's speech, on any day
ONSET_MS = 400  # voice activity is confirmed this much after an onset at most, clocks' differences included
CLIP_MS_MIN = 500  # a shorter clip may be a cough, and no speech
AFTER_MS = 4_000  # a fault explains what begins within this after its end


def check_line(evidence: Evidence, gap_ms_max: int = GAP_MS_MAX) -> Account:
    """All checks of this file; a gap is one from `gap_ms_max` on."""
    account = Account()
    for check in CHECKS:
        check(evidence, account)
    _gaps(evidence, account, gap_ms_max)
    return account


def keys(evidence: Evidence, account: Account) -> None:
    """Every key that was pressed while there was a stream is in the journal, once and in order."""
    noted = [event.digit for event in evidence.events(ev.DigitPressed)]
    at = 0
    for event in evidence.line["events"]:
        if event["what"] != "digit":
            continue
        account.counts["keys pressed"] += 1
        if at < len(noted) and noted[at] == event["digit"]:
            at += 1
        elif _interrupted(evidence, event["at_ms"], event["at_ms"]):
            account.counts["keys pressed without a stream"] += 1
        else:
            account.wrong("every key is in the journal", event["at_ms"], f"{event['digit']} is not; it has {noted}")
            return
    if noted[at:]:
        account.wrong("every key is in the journal", 0, f"{noted[at:]} are there that nobody pressed")


def talk(evidence: Evidence, account: Account) -> None:
    """Whatever the caller said while there was a stream was heard as speech."""
    answered = next(iter(evidence.events(ev.LineAnswered)), None)
    if answered is None:
        return
    spurts = [(event.onset_ms, event.ended_ms) for event in evidence.events(ev.SpeechEnded)]
    spurts += [(event.onset_ms, 1 << 60) for event in evidence.events(ev.SpeechStarted)][len(spurts) :]
    slack_ms = ONSET_MS + evidence.line["clock_late_ms_max"]
    for event in evidence.line["events"]:
        if event["what"] != "says" or event["ms"] < CLIP_MS_MIN:
            continue
        begins_ms, ends_ms = event["at_ms"], event["at_ms"] + event["ms"]
        account.counts["clips said"] += 1
        if _interrupted(evidence, begins_ms, ends_ms) or ends_ms > evidence.line["duration_ms"]:
            account.counts["clips said in part without a stream"] += 1
            continue
        begins_ms, ends_ms = answered.at_ms + begins_ms, answered.at_ms + ends_ms
        if not any(onset < ends_ms + slack_ms and end > begins_ms - slack_ms for onset, end in spurts):
            message = f"{event['clip']} from {begins_ms} to {ends_ms} ms: no talkspurt there"
            account.wrong("everything said is in the journal", begins_ms, message)


def leaving(evidence: Evidence, account: Account) -> None:
    """Whoever hung up, the journal knows."""
    outcome = evidence.outcome
    if evidence.line["ended"] == "the caller hung up":
        account.counts["callers who hung up"] += 1
        known = ("caller_hung_up", "line_lost", "transferred")
        if outcome not in known and not any(event.reason for event in evidence.events(ev.LineClosed)):
            account.wrong("every hang-up is in the journal", 0, f"the caller hung up; the journal says {outcome!r}")


def heard(evidence: Evidence, account: Account) -> None:
    """Where an utterance was stopped, what is noted as heard is what was played, within a word.

    A carrier whose own clock is late has played that much less than a call can know before the next mark.
    """
    stops = list(_stops(evidence))
    slack_ms = WORD_MS + evidence.line["clock_late_ms_max"]
    for event in evidence.events(ev.PlaybackStopped):
        account.counts["stops"] += 1
        positions = [position for utterance, position in stops if utterance == event.utterance]
        if not positions:
            continue  # stopped before a mark of it was sent, or with its stream
        account.counts["stops compared with what was played"] += 1
        nearest = min(positions, key=lambda position: abs(position - event.heard_ms))
        if abs(nearest - event.heard_ms) > slack_ms:
            message = f"{event.utterance}: {event.heard_ms} ms noted, {nearest} ms played"
            account.wrong("what is noted as heard was heard", event.at_ms, message)


def endings(evidence: Evidence, account: Account) -> None:
    """An utterance that the carrier confirmed to the end was played to the end."""
    played: dict[str, int] = {}
    for event in evidence.line["events"]:
        if event["what"] == "mark" and event["name"].count("/") == 2:
            utterance, _run, position = event["name"].split("/")
            played[utterance] = max(played.get(utterance, 0), int(position))
    reached = {event.utterance: event.heard_ms for event in evidence.events(ev.PlaybackReached)}
    for event in evidence.events(ev.PlaybackEnded):
        if event.confirmed and played.get(event.utterance, 0) + WORD_MS < reached.get(event.utterance, 0):
            message = f"{event.utterance}: {played.get(event.utterance, 0)} of {reached[event.utterance]} ms"
            account.wrong("what is noted as heard was heard", event.at_ms, message)


def _gaps(evidence: Evidence, account: Account, gap_ms_max: int) -> None:
    """No silence inside of the agent's speech over the limit, unless a fault explains one as long."""
    for at_ms, ms in evidence.line["gaps"]:
        account.counts["gaps"] += 1
        if ms <= gap_ms_max + evidence.line["clock_late_ms_max"]:
            continue
        account.counts[f"gaps over {gap_ms_max} ms"] += 1
        moment_ms = evidence.began_ms + at_ms
        allowed = [
            FAULTS[s.fault].gap_ms
            for s in evidence.struck
            if not s.missed
            and s.call in ("", evidence.call)
            and s.at_ms - gap_ms_max <= moment_ms <= s.at_ms + s.lasts_ms + AFTER_MS
        ]
        if ms > max(allowed, default=-1):
            message = f"{ms} ms; no fault explains more than {max(allowed, default=gap_ms_max)} ms"
            account.wrong("no gap in the agent's speech", at_ms, message)
    for _at_ms, ms in evidence.line["interruptions"]:
        account.counts["interruptions"] += 1
        account.counts["interrupted ms"] += ms
        if not evidence.struck_by(("gateway_kill", "node_kill", "raylet_kill")):
            account.wrong("no line is lost without a fault", _at_ms, f"{ms} ms without a stream")


def _interrupted(evidence: Evidence, from_ms: int, to_ms: int) -> bool:
    """Some of this time there was no stream, or one that was about to be cut."""
    spans = list(evidence.line["interruptions"])
    spans += [(e["at_ms"], 1 << 60) for e in evidence.line["events"] if e["what"] == "stream ended"][len(spans) :]
    return any(from_ms <= at_ms + ms + WORD_MS and to_ms >= at_ms - WORD_MS for at_ms, ms in spans)


def _stops(evidence: Evidence) -> Iterator[tuple[str, int]]:
    """Where utterances stopped: of which, and up to where in ms the carrier had played it.

    At every clear; and where another run begins though no clear had come (the way to the carrier was cut): what it had
    been sent, it played.
    """
    marks = [_Mark(place, *name.split("/")) for place, name in evidence.marks if name.count("/") == 2]
    clears = [e["played_bytes"] for e in evidence.line["events"] if e["what"] in ("clear", "stream ended")]
    for played in clears:
        before = [mark for mark in marks if mark.place <= played]
        if before:
            yield before[-1].utterance, before[-1].reached_ms(played)
    for mark, then in pairwise(marks):
        cleared = any(mark.place <= played <= then.place for played in clears)
        if (mark.utterance, mark.run) != (then.utterance, then.run) and not cleared:
            yield mark.utterance, mark.reached_ms(then.place)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark of the call (`actors/voice/voice.py`): after so many bytes, of which utterance, run and position."""

    place: int
    utterance: str
    run: str
    position: str

    def reached_ms(self, byte: int) -> int:
        """The position in the utterance when the carrier has played up to `byte`."""
        return int(self.position) + (byte - self.place) // BYTES_PER_MS


CHECKS: tuple[Check, ...] = (keys, talk, leaving, heard, endings)
