"""moonshine as a recognizer engine: its model in one worker thread, for all streams in turn.

The model takes one caller at a time and releases Python while it works. MIT; its English weights are in its wheel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from offhook.actors.audio.format import LINEAR16, AudioFormat
from offhook.actors.contracts.errors import OptionsRefused
from offhook.actors.engines.port import RecognitionOptions

from ...config.plug_ins import Options, check_options
from ...contracts.errors import StartFault
from ..port import Reading, reads
from ..sound import Samples, samples_of
from .decoder import Decoder, Model, Stream
from .readings import Line

LANGUAGES = ("en",)
UPDATE_S = 0.2  # how often a segment is read anew

# Measured (docs): first text 0.26 to 0.44 s after a segment's start, final text 0.07 to 0.19 s after its end.
OPTIONS = {
    "transcription_interval": UPDATE_S,
    "vad_window_duration": 0.15,
    "vad_look_behind_sample_count": 4_096,
    "return_audio_data": "false",  # else every update copies all of the call's sound into Python lists
}


def make(options: Options) -> MoonshineRecognizer:
    """The engine of the entry point `moonshine`; it has no options."""
    check_options("moonshine", options, ())
    return MoonshineRecognizer()


class MoonshineRecognizer:
    """A `RecognizerEngine`. Hints are not used: the model takes none.

    Args:
        load: loads the model (in the worker thread).
    """

    def __init__(self, load: Callable[[], Model] | None = None) -> None:
        self._load = load or Moonshine
        self._worker = ThreadPoolExecutor(1, "recognizer")
        self._model: Model | None = None

    async def start(self) -> None:
        """Load the model. Raises: StartFault: it is not installed, or cannot be loaded."""
        self._model = await self.work(self._load)

    async def stop(self) -> None:
        """End the worker after what it does now."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def open(self, options: RecognitionOptions, push: Callable[[Reading], None]) -> MoonshineStream:
        """See `RecognizerEngine`."""
        if not reads(options.language, LANGUAGES):
            raise OptionsRefused(f"moonshine reads {', '.join(LANGUAGES)}, not {options.language!r}")
        assert self._model is not None
        return MoonshineStream(self, self._model, AudioFormat(LINEAR16, options.format.rate_hz), push)

    def stats(self) -> dict[str, int]:
        """See `RecognizerEngine`."""
        return {}

    async def work(self, task: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in the worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, task, *arguments)


class MoonshineStream:
    """A `RecognizerStream`; the model resamples by itself, so it takes the rate that there is."""

    def __init__(
        self, engine: MoonshineRecognizer, model: Model, form: AudioFormat, push: Callable[[Reading], None]
    ) -> None:
        self.format = form
        self._engine = engine
        self._push: Callable[[Reading], None] | None = push
        self._decoder = Decoder(model, form.rate_hz)

    @property
    def read_ms(self) -> int:
        """See `RecognizerStream`."""
        return self._decoder.read_ms

    async def feed(self, audio: bytes) -> None:
        """See `RecognizerStream`."""
        await self._told(self._decoder.decode, samples_of(audio, self.format))

    async def skip(self, ms: int) -> None:
        """See `RecognizerStream`."""
        await self._told(self._decoder.skip, ms)

    async def finish(self) -> None:
        """See `RecognizerStream`."""
        await self._told(self._decoder.finish)

    async def cancel(self) -> None:
        """See `RecognizerStream`. What the worker does for it now is done first."""
        self._push = None
        await self._told(self._decoder.finish)

    async def _told(self, task: Callable[..., list[Reading]], *arguments: Any) -> None:
        for reading in await self._engine.work(task, *arguments):
            if self._push is not None:
                self._push(reading)


class Moonshine:
    """moonshine-voice 0.0.73, tiny English: 44 MB of weights, 200 MB resident."""

    def __init__(self) -> None:
        try:
            from moonshine_voice.moonshine_api import ModelArch
            from moonshine_voice.transcriber import Transcriber
            from moonshine_voice.utils import get_model_path
        except (ImportError, OSError) as error:
            needed = "pip install 'offhook[speech]', or start with --recognizer none"
            raise StartFault(f"the recognizer moonshine cannot be loaded ({error}): {needed}") from error
        self._transcriber = Transcriber(
            str(get_model_path("tiny-en")), ModelArch.TINY, update_interval=UPDATE_S, options=OPTIONS
        )

    def open(self, rate_hz: int) -> Stream:
        """See `Model`."""
        return _ModelStream(self._transcriber, rate_hz)


class _ModelStream:
    def __init__(self, transcriber: Any, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._changed: list[Line] = []
        self._stream = transcriber.create_stream(UPDATE_S)
        self._stream.add_listener(self._on_event)
        self._stream.start()

    def feed(self, samples: Samples) -> list[Line]:
        self._stream.add_audio((samples / 32_768).tolist(), self._rate_hz)
        return self._take()

    def finish(self) -> list[Line]:
        self._stream.stop()
        self._stream.close()
        return self._take()

    def _take(self) -> list[Line]:
        changed, self._changed = self._changed, []
        return changed

    def _on_event(self, event: Any) -> None:
        kind = type(event).__name__
        if kind in ("LineTextChanged", "LineCompleted") and event.line is not None:
            line = event.line
            final = kind == "LineCompleted"
            if final or not line.is_complete:  # a completed line comes as both; once is enough
                self._changed.append(Line(line.line_id, line.text or "", line.start_time, line.duration, final))
