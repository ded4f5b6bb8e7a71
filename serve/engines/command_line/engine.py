"""flite and espeak-ng as synthesizer engines: a command for each phrase, a WAV file from it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from offhook.actors.audio import wav
from offhook.actors.contracts.errors import EngineAway, WrongSound

from ...config.plug_ins import Options, check_options
from ...contracts.errors import SettingFault, StartFault
from ..phrases.engine import PhraseSynthesizer
from ..phrases.program import Rendered
from ..sound import waves_of

PHRASE_S_MAX = 20.0  # a phrase takes a tenth of a second; a command that needs longer hangs
PROGRAMS = 2  # at the same time
SAID_CHARS_MAX = 200  # kept of what a command says when it fails

Arguments = Callable[[str, str], tuple[str, ...]]  # of the voice and the output file; the text goes to its input


class Command:
    """A `Program`: one process for each phrase."""

    def __init__(self, command: str, voice: str, arguments: Arguments) -> None:
        self._command = command
        self._voice = voice
        self._arguments = arguments
        self._path = ""

    async def start(self) -> None:
        """Find the command. Raises: StartFault: it is not installed."""
        self._path = shutil.which(self._command) or ""
        if not self._path:
            raise StartFault(
                f"{self._command} is not installed on this node; on Debian: apt-get install {self._command}"
            )

    async def stop(self) -> None:
        """Nothing runs between phrases."""

    async def render(self, text: str) -> Rendered:
        """See `Program`."""
        with tempfile.TemporaryDirectory(prefix=f"offhook-{self._command}-") as folder:
            out = Path(folder) / "phrase.wav"
            await self._run(text, str(out))
            try:
                form, audio = wav.read(await asyncio.to_thread(out.read_bytes))
            except (OSError, WrongSound) as error:
                raise EngineAway(f"{self._command} gave no sound: {error}") from error
        return Rendered(waves_of(audio, form), form.rate_hz)

    async def _run(self, text: str, out: str) -> None:
        process = await asyncio.create_subprocess_exec(
            self._path, *self._arguments(self._voice, out),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PHRASE_S_MAX):
                _, said = await process.communicate(text.encode())
        except TimeoutError:
            raise EngineAway(f"{self._command} gave no sound within {PHRASE_S_MAX:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise EngineAway(f"{self._command} failed: {said.decode(errors='replace').strip()[:SAID_CHARS_MAX]}")


def flite(options: Options) -> PhraseSynthesizer:
    """The engine of the entry point `flite`: English. Option: `voice`, one of `flite -lv` (slt)."""
    return _engine(
        "flite", options, "slt", ("en",), lambda voice, out: ("-voice", voice, "-f", "/dev/stdin", "-o", out)
    )


def espeak(options: Options) -> PhraseSynthesizer:
    """The engine of the entry point `espeak`: over a hundred languages. Option: `voice`, one of `espeak-ng --voices`
    (en)."""
    languages = (options.get("voice", "en").split("-")[0].split("+")[0].lower(),)
    return _engine("espeak-ng", options, "en", languages, lambda voice, out: ("-v", voice, "-w", out, "--stdin"))


def _engine(
    command: str, options: Options, voice: str, languages: tuple[str, ...], arguments: Arguments
) -> PhraseSynthesizer:
    check_options(command, options, ("voice",))
    voice = options.get("voice", voice)
    if voice.startswith("-"):
        raise SettingFault(f"{command}: {voice!r} is no voice")
    return PhraseSynthesizer(command, lambda: Command(command, voice, arguments), PROGRAMS, (voice,), languages)
