"""A scripted caller: carries a script out on one line, and hands back what was heard, said and found.

Use:
    record = await place(scenario.load(path), media_url, carrier)
    record.wav("heard")

The line itself (clock, playout, marks) is `carrier_end.py`; what a script may say is `scenario.py`; what follows the
end of a stream, where the caller has a resume webhook, is `redirect.py`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from picows import WSError

from ..carriers.port import Carrier, PlayedCarrier
from ..contracts.errors import ScriptFault
from ..engines.sound import wav_bytes
from .carrier_end import SILENT_MS, CarrierEnd, Heard, Traffic
from .redirect import Redirects, Resume
from .scenario import WITHIN_S, Converse, Expect, Listen, Over, Say, Script, Step, WaitUntil
from .unplayed import LEFT, unplayed

CALL_S_MAX = 600.0  # no script runs longer
CAPTION_LAG_MS = 250  # captions come this much later than the sound that they tell of, at most


class Captions(Protocol):
    """What the agent has said and done so far: what a person on the phone understands, and a script cannot."""

    def utterances(self) -> Sequence[str]:
        """Every utterance begun in this call, oldest first."""

    def acts(self) -> Mapping[str, str]:
        """How the newest act of each tool stands ("performing", "done", "withdrawn", ...), by the tool's name."""


@dataclass(slots=True)
class CallRecord:
    """One call as the caller's side knows it. Times are ms since the stream began.

    `steps` holds line, kind, began_ms, ended_ms; `failures` what of the script did not come or was not played;
    `events` digits, marks, clears (dropped_ms) and faults as they went by; `gaps` where speech ran dry: (at_ms, ms);
    `interruptions` where the caller had no stream until the carrier had dialled another: (at_ms, ms).
    """

    script: str
    caller: str
    stream: str
    ended: str = ""  # why the line is gone
    transferred_to: str = ""
    duration_ms: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic, repr=False)

    def plain(self) -> dict[str, Any]:
        """As JSON takes it; the sound itself is left out."""
        return {
            "script": self.script,
            "caller": self.caller,
            "stream": self.stream,
            "ended": self.ended,
            "transferred_to": self.transferred_to,
            "duration_ms": self.duration_ms,
            "steps": self.steps,
            "failures": self.failures,
            "events": self.traffic.events,
            "gaps": [list(gap) for gap in self.traffic.gaps],
            "interruptions": [list(each) for each in self.traffic.interruptions],
            "media_bytes": self.traffic.media_bytes,
            "clock_late_ms_max": self.traffic.late_ms_max,
        }

    def wav(self, side: str) -> bytes:
        """A WAV file of what was "heard" or "said", sample by sample from the stream's start."""
        return wav_bytes(bytes(self.traffic.heard if side == "heard" else self.traffic.said))


class _MissedError(Exception):
    """What a step waited for did not come."""


@dataclass(slots=True)
class _Wait:
    """One condition, asked after every frame."""

    met: Callable[[], bool]
    deadline_ms: int
    result: asyncio.Future[bool]


async def place(
    script: Script,
    media_url: str,
    carrier: Carrier,
    *,
    captions: Captions | None = None,
    on_line: Callable[[Traffic, Heard], None] | None = None,
    call_s_max: float = CALL_S_MAX,
    pace: float = 1.0,
    resume: Resume | None = None,
) -> CallRecord:
    """Call `media_url` as a caller of this carrier, and carry the script out. Always returns a record.

    `on_line` is told once, when the line is open: the live traffic and what the ear knows. `pace` is how many times
    faster than the clock the line runs, for tests against something that keeps up. `resume` is the webhook that is
    asked when a stream ends; without one the call ends with its stream.

    Raises:
        ScriptFault: the script waits for words and there are no captions.
    """
    if script.needs_captions and captions is None:
        raise ScriptFault(f"{script.path}: waits for what the agent says, and nothing here tells what that is")
    caller = _Caller(script, carrier.played(), captions, pace, resume)
    try:
        await caller.line.dial(media_url)
    except (OSError, WSError, TimeoutError) as error:
        caller.record.ended = f"the line could not be opened: {error}"
        caller.record.failures.append(caller.record.ended)
        return caller.record
    if on_line is not None:
        on_line(caller.line.traffic, caller.line.heard)
    try:
        async with asyncio.timeout(call_s_max):
            await caller.live()
    except TimeoutError:
        caller.record.failures.append(f"still on the line after {call_s_max:g} s")
    finally:
        await caller.hang_up()
    return caller.record


class _Caller:
    """A script being carried out."""

    def __init__(
        self,
        script: Script,
        carrier: PlayedCarrier,
        captions: Captions | None,
        pace: float,
        resume: Resume | None,
    ) -> None:
        self.script = script
        call = resume.call if resume is not None else "CA" + secrets.token_hex(16)
        self.line = CarrierEnd(carrier, call, self._on_tick, pace, may_resume=resume is not None)
        self._redirects = Redirects(carrier, resume, self.line.dial, pace) if resume is not None else None
        self.record = CallRecord(script.name, script.caller, self.line.stream.name, traffic=self.line.traffic)
        self._captions = captions
        self._utterances_before = 0  # utterances begun before the caller's last words: the ones not listened for now
        self._utterances_seen = 0
        self._seen_ms = 0  # when the newest of them was seen first
        self._utterances_at_said = 0  # ... counted when the caller began to speak: an answer may come at once
        self._spoke_ms = 0  # beginning of what the caller said last
        self._said_ms = 0  # end of it
        self._waits: list[_Wait] = []

    async def live(self) -> None:
        """All steps, then as long as the far end and the script's patience last."""
        following = asyncio.ensure_future(self._follow_redirects())
        try:
            await self._live()
        finally:
            following.cancel()

    async def _follow_redirects(self) -> None:
        """Where a stream ends and the call does not, the carrier asks what to do with the caller."""
        line = self.line
        while self._redirects is not None and not line.closed.done():
            reason = await line.stream_over
            if line.closed.done():
                return
            over = await self._redirects.follow()
            if over is not None:
                self.record.transferred_to = over.transferred_to
                line.give_up(over.reason or reason)

    async def _live(self) -> None:
        steps = asyncio.ensure_future(self._steps())
        try:
            await asyncio.wait((steps, self.line.closed), return_when=asyncio.FIRST_COMPLETED)
            if steps.done() and not steps.cancelled() and steps.exception() is not None:
                raise steps.exception() or RuntimeError
            if not steps.done():
                begun = max(0, len(self.record.steps) - 1)
                if (left := unplayed(self.script.steps[begun:], self._has_said, self._acts())) is not None:
                    missed = (
                        f"the call was over before that: {self.line.closed.result()}; not played to the script's end"
                    )
                    self.record.failures.append(f"{self.script.path}:{left.line}: {left.kind}: {missed}")
            elif not self.line.closed.done():
                await asyncio.wait((self.line.closed,), timeout=self.script.stay_s)
        finally:
            if not steps.done():
                steps.cancel()
                await asyncio.wait((steps,))

    async def hang_up(self) -> None:
        """Leave the line, if it is still there, and close the record."""
        await self.line.hang_up()
        self.record.transferred_to = self.record.transferred_to or self.line.transferred_to
        self.record.ended = self.line.closed.result()
        self.record.duration_ms = self.line.heard.now_ms

    async def _steps(self) -> None:
        for step in self.script.steps:
            entry: dict[str, Any] = {"line": step.line, "kind": step.kind, "began_ms": self.line.heard.now_ms}
            self.record.steps.append(entry)
            try:
                await self._step(step)
            except _MissedError as missed:
                self.record.failures.append(f"{self.script.path}:{step.line}: {step.kind}: {missed}")
                if not isinstance(step.part, Expect):
                    return  # the call has taken another way than the script; what follows makes no sense
            finally:
                entry["ended_ms"] = self.line.heard.now_ms
            if step.kind == "hang_up":
                return

    async def _step(self, step: Step) -> None:
        part = step.part
        if isinstance(part, Say):
            await self._say(part.clip)
            self._take_turn()
        elif isinstance(part, Listen):
            await self._listen(part)
        elif isinstance(part, WaitUntil):
            await self._wait_until(part)
        elif isinstance(part, Over):
            await self._over(part)
            if step.kind == "interrupt":  # a token or a cough leaves the agent its utterance
                self._take_turn()
        elif isinstance(part, Converse):
            await self._converse(part)
        elif isinstance(part, Expect):
            await self._expect(part)
        elif step.kind == "pause_ms":
            over_ms = self.line.heard.now_ms + step.pause_ms
            await self._until(lambda: self.line.heard.now_ms >= over_ms, step.pause_ms + 1_000, "the pause's end")
        elif step.kind == "dtmf":
            for digit in step.digits:
                self.line.press(digit)
                await self._pass_ms(200)
        elif step.kind == "hang_up":
            await self.line.hang_up()

    async def _say(self, clip: str) -> None:
        self._spoke_ms = self.line.heard.now_ms
        self._utterances_at_said = len(self._utterances())
        length_ms = self.line.say(self.script.clips[clip])
        self.line.note("says", clip=clip, ms=length_ms)
        await self._until(lambda: not self.line.talking, length_ms + 5_000, "the end of the clip")
        self._said_ms = self.line.heard.now_ms

    async def _listen(self, part: Listen) -> None:
        def spoken() -> bool:
            return self._heard_out(part.silent_for_ms) and self._has_said(part.says)

        about = f" about /{part.says}/" if part.says else ""
        await self._until(spoken, part.within_s * 1_000, f"the agent to speak{about} and then be silent")

    async def _converse(self, part: Converse) -> None:
        for _ in range(part.turns_max):

            def clip() -> str | None:
                """What to answer now; "" = nothing, the agent said what was waited for; None = it is not yet time."""
                if not self._heard_out(part.silent_for_ms):
                    return None
                if self._has_said(part.until):
                    return ""
                return next((answer.clip for answer in self.script.answers if self._has_said(answer.says)), None)

            await self._until(
                lambda: clip() is not None, part.within_s * 1_000, f"something to answer, or for /{part.until}/"
            )
            answer = clip()
            if not answer:
                return
            await self._say(answer)
            self._take_turn()
        raise _MissedError(f"{part.turns_max} answers, and no /{part.until}/")

    async def _wait_until(self, part: WaitUntil) -> None:
        heard = self.line.heard
        if part.agent_says is not None:
            await self._until(
                lambda: heard.speaking and self._has_said(part.agent_says),
                part.within_s * 1_000,
                f"the agent to say /{part.agent_says}/",
            )
        elif part.agent_silent_for_ms is not None:
            for_ms = part.agent_silent_for_ms
            began_ms = heard.now_ms
            await self._until(
                lambda: heard.now_ms - max(heard.loud_ms, began_ms if heard.loud_ms < 0 else 0) >= for_ms,
                part.within_s * 1_000,
                f"{for_ms} ms of silence",
            )
        else:
            wanted = part.agent_speaks is not False
            what = "the agent to speak" if wanted else "the agent to be silent"
            await self._until(lambda: heard.speaking is wanted, part.within_s * 1_000, what)

    async def _over(self, part: Over) -> None:
        heard = self.line.heard

        def deep() -> bool:
            return heard.speaking and heard.now_ms - heard.spurt_ms >= part.after_ms and self._has_said(part.says)

        about = f" about /{part.says}/" if part.says else ""
        await self._until(deep, part.within_s * 1_000, f"the agent to speak{about} for {part.after_ms} ms")
        await self._say(part.clip)

    async def _expect(self, part: Expect) -> None:
        heard, spoke_ms, said_ms = self.line.heard, self._spoke_ms, self._said_ms
        if part.agent_stops_within_ms is not None:
            within_ms = part.agent_stops_within_ms
            await self._until(
                lambda: not heard.speaking,
                spoke_ms + within_ms + SILENT_MS - heard.now_ms,  # a silence is one when it has lasted
                f"the agent to stop within {within_ms} ms",
            )
            self.line.note("agent stopped", after_ms=max(0, heard.loud_ms - spoke_ms))
        elif part.agent_speaks_within_ms is not None:
            within_ms = part.agent_speaks_within_ms
            await self._until(
                lambda: heard.loud_ms > said_ms,
                spoke_ms + within_ms - heard.now_ms,
                f"the agent to speak within {within_ms} ms",
            )
        elif part.done is not None:
            act = part.done
            await self._until(lambda: self._acts().get(act) == "done", WITHIN_S * 1_000, f"{act} to be done")
        elif part.not_done is not None:
            found = self._acts().get(part.not_done, "")
            if found in LEFT:
                raise _MissedError(f"{part.not_done} stands as {found!r}, and was not to be done")

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _utterances(self) -> Sequence[str]:
        return self._captions.utterances() if self._captions is not None else ()

    def _acts(self) -> Mapping[str, str]:
        return self._captions.acts() if self._captions is not None else {}

    def _heard_out(self, silent_for_ms: int) -> bool:
        """The agent has spoken since the caller did, its newest utterance too, and has been silent since."""
        heard = self.line.heard
        spoken = heard.loud_ms > max(self._said_ms, self._seen_ms - CAPTION_LAG_MS)
        return spoken and heard.now_ms - heard.loud_ms >= silent_for_ms

    def _take_turn(self) -> None:
        """What the agent has said so far is answered; from here on only what it says next is listened for."""
        self._utterances_before = self._utterances_at_said

    def _has_said(self, pattern: str | None) -> bool:
        """An utterance of the agent since the caller's last words (or now going on) matches."""
        if pattern is None:
            return True
        return any(re.search(pattern, text, re.IGNORECASE) for text in self._utterances()[self._utterances_before :])

    async def _pass_ms(self, ms: int) -> None:
        over_ms = self.line.heard.now_ms + ms
        await self._until(lambda: self.line.heard.now_ms >= over_ms, ms + 1_000, "time to pass")

    async def _until(self, met: Callable[[], bool], within_ms: float, what: str) -> None:
        if met():
            return
        now_ms = self.line.heard.now_ms
        result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waits.append(_Wait(met, now_ms + int(within_ms), result))
        if not await result:
            raise _MissedError(f"waited {max(0, int(within_ms))} ms in vain for {what}")

    def _on_tick(self, heard: Heard) -> None:
        if len(self._utterances()) > self._utterances_seen:
            self._utterances_seen = len(self._utterances())
            self._seen_ms = heard.now_ms
        for wait in self._waits[:]:
            met = wait.met()
            if met or heard.now_ms >= wait.deadline_ms:
                self._waits.remove(wait)
                if not wait.result.done():
                    wait.result.set_result(met)
