"""Piper, a program of its own: started, asked over its own HTTP interface on a Unix socket, watched, started again.

Piper is GPL-3: nothing here imports it. `python -m piper.http_server` is run as published and asked as published
(`POST /synthesize`, `GET /info`); any program that answers these two can stand in its place. `/info` tells of the last
synthesis only, so one program serves one text at a time. Texts, times and retries are `phrases/`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import httpx
from offhook.actors.audio import wav
from offhook.actors.contracts.errors import EngineAway, WrongSound

from ...contracts.errors import StartFault
from ..phrases.phrasing import Phoneme
from ..phrases.program import Rendered
from ..sound import waves_of
from .voice_file import kept

log = logging.getLogger(__name__)

START_S_MAX = 60.0  # loading takes 1.5 s; a busy machine takes longer
PHRASE_S_MAX = 20.0  # a phrase takes under a second; a program that needs longer hangs
RESTART_S = (0.0, 0.5, 2.0, 5.0, 15.0)  # before each further start in a row; the last one repeats
SETTLED_S = 30.0  # a program that lived this long starts the row anew
STDERR_LINES = 20  # kept to say why it died

# The kernel kills the program when its parent dies, however that happens: an engine killed with SIGKILL leaves nothing.
_TIED = "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,9);os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"


class PiperProgram:
    """One running program. `start` it, `render` phrases one after another, `stop` it; it restarts itself."""

    def __init__(self, voice: Path, command: tuple[str, ...] = ("-m", "piper.http_server")) -> None:
        self.voice = voice
        self.starts = 0  # how often it was started; tests and stats
        self.pid = 0
        self._command = command
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartFault: it does not; the message carries what it said last.
        """
        model = await asyncio.to_thread(kept, self.voice)
        self._folder = tempfile.TemporaryDirectory(prefix="offhook-piper-")
        socket = f"{self._folder.name}/piper"
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket), base_url="http://piper", timeout=PHRASE_S_MAX
        )
        self._keeper = asyncio.create_task(self._keep(socket, model))
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._ready.wait()
        except TimeoutError:
            said = " | ".join(self._stderr) or "nothing"
            await self.stop()
            raise StartFault(f"piper did not start within {START_S_MAX:g} s; it said: {said}") from None

    @property
    def up(self) -> bool:
        """It answers now."""
        return self._ready.is_set()

    async def render(self, text: str) -> Rendered:
        """Speak one phrase. Waits for a program that is being started again.

        Raises:
            EngineAway: it died over this phrase, hung, or refused; once more may help.
        """
        try:
            async with asyncio.timeout(PHRASE_S_MAX):
                await self._ready.wait()
                assert self._client is not None
                answer = await self._client.post("/synthesize", json={"text": text})
                answer.raise_for_status()
                last = (await self._client.get("/info")).json().get("last") or {}
        except TimeoutError:
            self._kill()  # the keeper starts another
            raise EngineAway(f"piper gave no sound within {PHRASE_S_MAX:g} s") from None
        except (httpx.HTTPError, ValueError) as error:
            if isinstance(error, httpx.TransportError):  # it is dead or dying: the next phrase waits for another
                self._ready.clear()
                self._kill()
            raise EngineAway(f"piper failed: {type(error).__name__}: {error}") from error
        return _rendered(answer.content, last if last.get("text") == text.strip() else {})

    async def stop(self) -> None:
        """End it and remove its files."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._kill()
        if self._process is not None:
            await self._process.wait()
        if self._client is not None:
            await self._client.aclose()
        if self._folder is not None:
            self._folder.cleanup()

    async def _keep(self, socket: str, model: Path) -> None:
        """Run the program for ever: start, wait for its end, start again, slower when it dies at once."""
        loop = asyncio.get_running_loop()
        row = 0
        while True:
            await asyncio.sleep(RESTART_S[min(row, len(RESTART_S) - 1)])
            Path(socket).unlink(missing_ok=True)  # noqa: ASYNC240 - one unlink in our own folder
            started_s = loop.time()
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _TIED, *self._command, "-m", str(model), "--host", f"unix://{socket}",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self.starts, self.pid = self.starts + 1, process.pid
            listening = asyncio.create_task(self._await_answer(process))
            await self._drain_stderr(process)
            code = await process.wait()
            listening.cancel()
            self._ready.clear()
            row = 0 if loop.time() - started_s > SETTLED_S else row + 1
            log.warning("piper ended (code %d) and is started again; it said: %s", code, " | ".join(self._stderr))

    async def _await_answer(self, process: asyncio.subprocess.Process) -> None:
        assert self._client is not None
        while process.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                if (await self._client.get("/info")).is_success:
                    self._ready.set()
                    return
            await asyncio.sleep(0.05)

    async def _drain_stderr(self, process: asyncio.subprocess.Process) -> None:
        """Read what it says until it ends: a full pipe would stop it. Requests are logged without their text."""
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line over the reader's limit
                continue
            if not line:
                return
            if b"/synthesize" not in line and b"/info" not in line:
                self._stderr.append(line.decode(errors="replace").strip()[:200])

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _rendered(content: bytes, last: dict[str, Any]) -> Rendered:
    try:
        form, audio = wav.read(content)
    except WrongSound as fault:
        raise EngineAway(f"piper answered with something else than sound: {fault}") from fault
    phonemes = tuple(Phoneme(str(entry["phoneme"]), float(entry["seconds"])) for entry in last.get("alignments") or ())
    return Rendered(waves_of(audio, form), form.rate_hz, phonemes)
