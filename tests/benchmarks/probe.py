"""The black-box probe: many carriers' lines in one process, which interrupts and times what comes back.

Runs as a program of its own beside what it measures, and reports its own lateness: how long after their due moment
its frames left. It knows nothing of offhook but the Twilio Media Streams protocol.

    python tests/benchmarks/probe.py --urls FILE --seconds 60 --clip CLIP.wav [--murmurs CLIP.wav ...] [--seed 1]

prints one JSON document. A murmur (a listener's token, a cough) is no interruption: what the agent does at it is
counted apart, with how long the caller then waits until sound comes again.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import random
import wave
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

FRAME_BYTES, FRAME_MS = 160, 20
QUIET_CODE = 8  # distance of a mu-law code from silence (0x7F, 0xFF) that still counts as silence
LISTEN_MS = (1_500, 3_500)  # the agent is heard this long before it is interrupted
GAP_MS_MAX = 1_000  # a longer pause in the agent's sound is an end, not a gap
WAIT_S = 3.0  # after an onset; who has not reacted by then has missed it


def mulaw(pcm: int) -> int:
    """G.711 mu-law code of one 16-bit sample."""
    sign, magnitude = (0x80, -pcm) if pcm < 0 else (0, pcm)
    magnitude = min(magnitude, 32_635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> (exponent + 3) & 15) & 0xFF


def clip_frames(path: Path) -> list[bytes]:
    """A recording as mu-law frames, trimmed so that its labelled onset is the first sample of the first frame."""
    with wave.open(str(path)) as reader:
        assert reader.getframerate() == 8_000 and reader.getnchannels() == 1, f"{path}: wants 8 kHz mono"
        raw = memoryview(reader.readframes(reader.getnframes())).cast("h")
    loud = max(map(abs, raw)) * 0.1
    onset = next(at for at, sample in enumerate(raw) if abs(sample) >= loud)
    coded = bytes(map(mulaw, raw[onset:]))
    return [coded[at : at + FRAME_BYTES] for at in range(0, len(coded) - FRAME_BYTES, FRAME_BYTES)]


def audible(frame: bytes) -> bool:
    """True where any sample is clearly not silence."""
    return any((code & 0x7F) < 0x7F - QUIET_CODE for code in frame[::8])


class Line(WSListener):  # type: ignore[misc]  # picows ships no types
    """One carrier's stream."""

    def __init__(self, clip: list[bytes], murmurs: dict[str, list[bytes]], chance: random.Random) -> None:
        self.transport: WSTransport | None = None
        self.interruption, self.clip, self.chance = clip, clip, chance
        self.murmurs = murmurs
        self.murmur = ""  # the name of the one being made; "" = an interruption, or nothing
        self.murmured: list[tuple[str, bool]] = []  # (name, whether the agent stopped)
        self.murmur_gaps_ms: list[float] = []  # from such a stop to the next sound
        self.stopped_at = 0.0
        self.stream = f"MZ{chance.getrandbits(128):032x}"
        self.sequence = self.chunk = 0
        self.playout = bytearray()
        self.received = self.played = 0
        self.marks: list[tuple[int, str]] = []
        self.spoken_ms = 0  # of the agent's present utterance, as the caller has heard it
        self.dry_ms = -1
        self.mouth: list[bytes] = []
        self.onset_at = 0.0  # perf_counter of the interruption's first frame; 0 = none pending
        self.next_ms = chance.uniform(*LISTEN_MS)
        self.reactions_ms: list[float] = []
        self.cuts: list[int] = []  # ms of the utterance that had been played when it was cleared
        self.gaps: list[int] = []
        self.utterances = self.missed = self.false_stops = 0
        self.first_audio_at = self.opened_at = 0.0
        self.closed = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.opened_at = perf_counter()
        self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": self.stream, "accountSid": "AC" + "0" * 32, "callSid": "CA" + self.stream[2:],
                 "tracks": ["inbound"], "customParameters": {}, "mediaFormat": form}  # fmt: skip
        self.numbered({"event": "start", "streamSid": self.stream, "start": start})

    def numbered(self, message: dict[str, Any]) -> None:
        self.sequence += 1
        self.send({"sequenceNumber": str(self.sequence), **message})

    def send(self, message: dict[str, Any]) -> None:
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, json.dumps(message).encode())

    def tick(self, silence: str) -> None:
        """20 ms: one frame out, one frame of what the agent sent is heard."""
        if self.transport is None or self.closed:
            return
        if self.mouth and len(self.mouth) == len(self.clip):
            self.onset_at = perf_counter() - FRAME_MS / 1_000  # its first sample was spoken a frame ago
        payload = base64.b64encode(self.mouth.pop(0)).decode() if self.mouth else silence
        self.sequence += 1
        self.chunk += 1
        self.transport.send(
            WSMsgType.TEXT,
            f'{{"event":"media","sequenceNumber":"{self.sequence}","media":{{"track":"inbound","chunk":"{self.chunk}",'
            f'"timestamp":"{self.chunk * FRAME_MS}","payload":"{payload}"}},"streamSid":"{self.stream}"}}'.encode(),
        )
        self.hear()
        if self.onset_at and perf_counter() - self.onset_at > WAIT_S:
            self.nothing_came()
        if self.spoken_ms >= self.next_ms and not self.mouth and not self.onset_at:
            murmurs = bool(self.murmurs) and self.chance.random() < 0.5
            self.murmur = self.chance.choice(list(self.murmurs)) if murmurs else ""
            self.clip = self.murmurs[self.murmur] if self.murmur else self.interruption
            self.mouth = list(self.clip)

    def nothing_came(self) -> None:
        """No `clear` within WAIT_S: right after a murmur, a miss after an interruption."""
        if self.murmur:
            self.murmured.append((self.murmur, False))
        else:
            self.missed += 1
        self.next_ms = self.spoken_ms + self.chance.uniform(*LISTEN_MS)
        self.onset_at = 0.0

    def hear(self) -> None:
        frame = bytes(self.playout[:FRAME_BYTES])
        del self.playout[:FRAME_BYTES]
        self.played += len(frame)
        while self.marks and self.marks[0][0] <= self.played:
            self.numbered({"event": "mark", "streamSid": self.stream, "mark": {"name": self.marks.pop(0)[1]}})
        if frame:
            if self.dry_ms >= FRAME_MS:
                self.gaps.append(self.dry_ms)
            self.dry_ms = 0
            self.utterances += self.spoken_ms == 0
            self.spoken_ms += FRAME_MS
        elif self.dry_ms >= 0:
            self.dry_ms += FRAME_MS
            if self.dry_ms > GAP_MS_MAX:
                self.dry_ms, self.spoken_ms = -1, 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.closed = f"{frame.get_close_code()}: {frame.get_close_reason() or ''}"
            transport.disconnect()
            return
        message = json.loads(frame.get_payload_as_bytes())
        match message["event"]:
            case "media":
                self.first_audio_at = self.first_audio_at or perf_counter()
                sound = base64.b64decode(message["media"]["payload"])
                if self.stopped_at:
                    self.murmur_gaps_ms.append((perf_counter() - self.stopped_at) * 1_000)
                    self.stopped_at = 0.0
                self.playout += sound
                self.received += len(sound)
            case "mark":
                self.marks.append((self.received, message["mark"]["name"]))
            case "clear":
                self.cleared(perf_counter())

    def cleared(self, now: float) -> None:
        if self.spoken_ms:
            self.cuts.append(self.spoken_ms)
        if self.onset_at and self.spoken_ms and self.murmur:
            self.murmured.append((self.murmur, True))
            self.stopped_at = now
            self.next_ms = self.chance.uniform(*LISTEN_MS)
        elif self.onset_at and self.spoken_ms:
            self.reactions_ms.append((now - self.onset_at) * 1_000)
            self.next_ms = self.chance.uniform(*LISTEN_MS)
        elif self.spoken_ms:
            self.false_stops += 1
        self.onset_at = 0.0
        self.played += len(self.playout)
        self.playout.clear()
        self.dry_ms, self.spoken_ms = -1, 0
        for _, name in self.marks:
            self.numbered({"event": "mark", "streamSid": self.stream, "mark": {"name": name}})
        self.marks.clear()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self.closed = self.closed or "cut"


async def run(
    urls: list[str], seconds: float, clip: list[bytes], murmurs: dict[str, list[bytes]], seed: int, stagger_s: float
) -> dict[str, Any]:
    chance = random.Random(seed)
    lines = [Line(clip, murmurs, random.Random(chance.random())) for _ in urls]
    silence = base64.b64encode(b"\xff" * FRAME_BYTES).decode()
    loop = asyncio.get_running_loop()
    late_ms: list[float] = []

    async def live(line: Line, url: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await ws_connect(lambda: line, url)
        start = loop.time()
        for number in range(int((seconds + stagger_s - delay_s) * 50)):
            await asyncio.sleep(max(0.0, start + number * FRAME_MS / 1_000 - loop.time()))
            late_ms.append(max(0.0, (loop.time() - start - number * FRAME_MS / 1_000) * 1_000))
            line.tick(silence)
        if line.transport is not None and not line.closed:
            line.numbered({"event": "stop", "streamSid": line.stream, "stop": {}})
            line.closed = "hung up"
            line.transport.disconnect()

    gc.freeze()
    spread = [stagger_s * place / len(urls) for place in range(len(urls))]
    await asyncio.gather(*(live(line, url, delay) for line, url, delay in zip(lines, urls, spread, strict=True)))
    late_ms.sort()
    return {
        "reactions_ms": [round(ms, 2) for line in lines for ms in line.reactions_ms],
        "cuts": [line.cuts for line in lines],
        "first_audio_ms": [round((line.first_audio_at - line.opened_at) * 1_000, 1) for line in lines],
        "gaps_ms": [gap for line in lines for gap in line.gaps],
        "utterances": sum(line.utterances for line in lines),
        "missed": sum(line.missed for line in lines),
        "false_stops": sum(line.false_stops for line in lines),
        "murmured": [row for line in lines for row in line.murmured],
        "murmur_gaps_ms": [round(ms, 1) for line in lines for ms in line.murmur_gaps_ms],
        "silent_lines": sum(line.received == 0 for line in lines),
        "closed": sorted({line.closed for line in lines}),
        "probe_late_ms": {p: round(late_ms[int(p / 100 * (len(late_ms) - 1))], 2) for p in (50, 95, 99)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=Path, required=True, help="a file with one media URL a line")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--murmurs", type=Path, nargs="*", default=[], help="clips that are no interruptions")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stagger-s", type=float, default=2.0)
    options = parser.parse_args()
    urls = options.urls.read_text().split()
    clip = clip_frames(options.clip)
    murmurs = {path.stem: clip_frames(path) for path in options.murmurs}
    print(json.dumps(uvloop.run(run(urls, options.seconds, clip, murmurs, options.seed, options.stagger_s))))


if __name__ == "__main__":
    main()
