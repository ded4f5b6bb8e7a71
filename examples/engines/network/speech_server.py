"""The other side, in small: a server that "reads" loud sound as the word "loud", and hums for every word of a text.

    python examples/engines/network/speech_server.py

A provider's server has models where this one has arithmetic; the traffic is what this example is about.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
from base64 import b64encode
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

RATE_HZ = 24_000  # of what it speaks
WORD_MS, PAUSE_MS = 250, 50
LOUD = 2_000  # of 32,768
QUIET_MS = 300  # after so much a segment is over
STEP_MS = 20
VOICES = ("hum", "buzz")
LANGUAGES = ("en", "de")


class Listener(WSListener):  # type: ignore[misc]
    """One stream: 16-bit samples in, words out."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._rate_hz = 0  # until it is told
        self._rest = b""
        self._now_ms = 0
        self._segment = 0
        self._loud_from_ms = self._loud_to_ms = -1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self._hear(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            self._asked(json.loads(frame.get_payload_as_utf8_text()))
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()

    def _asked(self, asked: dict[str, Any]) -> None:
        if "rate" in asked:
            self._rate_hz = asked["rate"]
            known = asked["language"].split("-")[0] in LANGUAGES
            self._say({"taken": True} if known else {"refused": f"this server does not read {asked['language']!r}"})
        elif asked.get("skip"):
            self._close_segment()
        elif asked.get("end"):
            self._close_segment()
            self._say({"read_ms": self._now_ms, "over": True})

    def _hear(self, audio: bytes) -> None:
        self._rest += audio
        size = 2 * self._rate_hz * STEP_MS // 1_000
        while len(self._rest) >= size:
            step, self._rest = self._rest[:size], self._rest[size:]
            self._step(max(map(abs, struct.unpack(f"<{size // 2}h", step))))

    def _step(self, peak: int) -> None:
        begun_ms, self._now_ms = self._now_ms, self._now_ms + STEP_MS
        if peak > LOUD:
            if self._loud_from_ms < 0:
                self._loud_from_ms = begun_ms
                self._tell(begun_ms, self._now_ms, final=False)
            self._loud_to_ms = self._now_ms
        elif self._loud_from_ms >= 0 and self._now_ms - self._loud_to_ms >= QUIET_MS:
            self._close_segment()
        if self._loud_from_ms < 0:
            self._say({"read_ms": self._now_ms})

    def _close_segment(self) -> None:
        if self._loud_from_ms >= 0:
            self._tell(self._loud_from_ms, self._loud_to_ms, final=True)
            self._segment += 1
            self._loud_from_ms = -1

    def _tell(self, from_ms: int, to_ms: int, final: bool) -> None:
        self._say({"segment": self._segment, "text": "loud", "final": final, "from_ms": from_ms, "to_ms": to_ms})

    def _say(self, said: dict[str, Any]) -> None:
        self._transport.send(WSMsgType.TEXT, json.dumps(said).encode())


async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP/1.1, one request a connection: GET / answers, POST /speak answers with sound, word by word."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
        asked = json.loads(await reader.readexactly(length)) if length else {}
        if not head.startswith("POST /speak "):
            _answer(writer, "200 OK", b"speak with POST /speak")
        elif asked["voice"] not in ("", *VOICES):
            _answer(writer, "422 Unprocessable", f"no voice {asked['voice']}; it has {', '.join(VOICES)}".encode())
        elif asked["language"].split("-")[0] not in LANGUAGES:
            _answer(writer, "422 Unprocessable", f"it does not speak {asked['language']}".encode())
        else:
            await _sound(writer, asked["text"], 200 if asked["voice"] == "buzz" else 400)
        await writer.drain()
    except (OSError, ValueError, KeyError, asyncio.IncompleteReadError):
        pass  # the caller has gone, or asked for nothing that there is
    finally:
        writer.close()


async def _sound(writer: asyncio.StreamWriter, text: str, hertz: int) -> None:
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Audio-Format: linear16-24k\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    count, pause = RATE_HZ * WORD_MS // 1_000, RATE_HZ * PAUSE_MS // 1_000
    hum = [round(8_000 * math.sin(2 * math.pi * hertz * n / RATE_HZ)) for n in range(count)]
    audio = b64encode(struct.pack(f"<{count + pause}h", *hum, *([0] * pause))).decode()
    for number, word in enumerate(text.split()):
        end_ms = number * (WORD_MS + PAUSE_MS) + WORD_MS
        line = json.dumps({"words": [[word, end_ms]], "audio": audio}).encode() + b"\n"
        writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")


def _answer(writer: asyncio.StreamWriter, status: str, body: bytes) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


class SpeechServer:
    """Both services on loopback; ports are found where 0 is given."""

    async def start(self, listen_port: int = 0, speak_port: int = 0) -> None:
        self._listens = await ws_create_server(lambda _request: Listener(), "127.0.0.1", listen_port)
        self._speaks = await asyncio.start_server(speak, "127.0.0.1", speak_port)
        self.listens_at = f"ws://127.0.0.1:{self._listens.sockets[0].getsockname()[1]}"
        self.speaks_at = f"http://127.0.0.1:{self._speaks.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._listens.close()
        self._speaks.close()


async def main() -> None:
    server = SpeechServer()
    await server.start(8901, 8902)
    print(f"reads at {server.listens_at}, speaks at {server.speaks_at}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
