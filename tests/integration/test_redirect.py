"""The softphone follows redirects as its carrier would: streams and webhooks on real sockets, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from offhook.serve.callers.redirect import ASKS_MAX, Resume
from offhook.serve.callers.softphone import CallRecord, place
from offhook.serve.carriers.messages import Start
from offhook.serve.carriers.twilio import twiml, twiml_reader
from offhook.serve.carriers.webhook import Connect, Dial, Hangup, Pause, Redirect, Say, Steps
from offhook.serve.contracts.errors import LineFault
from talker import LOUD, PACE, TWILIO, Agent, agent, events, run, script

RESUME_PATH = "/carriers/twilio/resume"
NOBODY = "ws://127.0.0.1:9/media"
ANSWER_S = 0.01  # virtual: a tenth of a second of the line


def connected(media_url: str, then_url: str) -> str:
    return twiml.write((Connect(media_url), Redirect(then_url)))


@asynccontextmanager
async def webhook(answers: Sequence[str]) -> AsyncIterator[tuple[str, list[str]]]:
    """Answers each request with the next of `answers` (the last one again and again); "" = an error page."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length")
        )
        form = parse_qs((await reader.readexactly(length)).decode())
        asked.append(f"{head.split()[1]} {form['CallSid'][0]}")
        await asyncio.sleep(ANSWER_S)
        body = answers[min(len(asked), len(answers)) - 1]
        status = "200 OK" if body else "503 Service Unavailable"
        answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


def cut_once(agents: list[Agent], after_frames: int = 10) -> Callable[[Agent, object], None]:
    """The first stream is cut in the midst of speech, the later ones are not."""

    def on(talker: Agent, message: object) -> None:
        if isinstance(message, Start):
            agents.append(talker)
            talker.play(*[LOUD] * 100, mark="end")
        elif agents[:1] == [talker] and talker.frames == after_frames:
            talker.transport.disconnect(False)

    return on


def called(
    folder: Path, answers: Callable[[str], Sequence[str]], steps: str
) -> tuple[CallRecord, list[Agent], list[str]]:
    agents: list[Agent] = []
    kept: list[str] = []

    async def call() -> CallRecord:
        async with agent(cut_once(agents)) as (url, _), webhook(answers(url)) as (api, asked):
            record = await place(script(folder, steps), url, TWILIO, pace=PACE, resume=Resume.of(TWILIO, api, "call-1"))
            kept.extend(asked)
            return record

    return run(call), agents, kept


def test_a_stream_that_is_cut_is_dialled_again_where_the_webhook_says(tmp_path: Path) -> None:
    answers = lambda url: [connected(url, "http://127.0.0.1:9/never")]  # noqa: E731
    record, agents, asked = called(tmp_path, answers, "  - pause_ms: 1500\n  - dtmf: '5'\n  - hang_up: true")
    assert not record.failures
    assert record.ended == "the caller hung up"
    assert asked == [f"{RESUME_PATH} call-1"]
    first, second = (next(m for m in each.messages if isinstance(m, Start)) for each in agents)
    assert first.call == second.call == "call-1"
    assert first.stream != second.stream
    assert type(agents[1].messages[-1]).__name__ == "Stop"
    ((at_ms, ms),) = record.traffic.interruptions
    assert 180 <= at_ms <= 260 and ms > 0
    (resumed,) = events(record, "resumed")
    assert resumed["after_ms"] == ms
    silent = bytes(record.traffic.heard)[at_ms * 8 : (at_ms + ms) * 8]
    assert LOUD not in silent  # what the first stream had still to play is not heard
    assert record.plain()["interruptions"] == [[at_ms, ms]]
    assert len(record.traffic.heard) == record.duration_ms * 8  # the caller's clock went on


def test_a_stream_that_cannot_be_opened_goes_on_to_the_redirect(tmp_path: Path) -> None:
    agents: list[Agent] = []

    async def call() -> CallRecord:
        bodies: list[str] = []
        async with agent(cut_once(agents)) as (url, _), webhook(bodies) as (api, asked):
            again = api + RESUME_PATH
            bodies += [connected(NOBODY, again), twiml.write((Pause(1), Redirect(again))), connected(url, again)]
            steps = "  - pause_ms: 6000\n  - hang_up: true"
            record = await place(
                script(tmp_path, steps), url, TWILIO, pace=PACE, resume=Resume.of(TWILIO, api, "call-1")
            )
            assert len(asked) == 3
            return record

    record = run(call)
    assert not record.failures
    assert len(agents) == 2
    assert record.traffic.interruptions[0][1] >= 1_000  # the pause


def test_a_call_that_is_over_or_handed_on_ends_as_the_webhook_says(tmp_path: Path) -> None:
    steps = "  - pause_ms: 60000"
    record, _, _ = called(tmp_path, lambda _url: [twiml.write((Hangup(),))], steps)
    assert (record.ended, record.transferred_to) == ("the line was cut without a goodbye", "")
    record, _, _ = called(tmp_path, lambda _url: [twiml.write((Dial("+15550199"),))], steps)
    assert (record.ended, record.transferred_to) == ("transferred to +15550199", "+15550199")
    assert record.duration_ms < 10_000


def test_a_webhook_that_fails_is_asked_again_and_then_the_carrier_gives_up(tmp_path: Path) -> None:
    steps = "  - pause_ms: 6000\n  - hang_up: true"
    record, agents, asked = called(tmp_path, lambda url: ["", "", connected(url, "http://127.0.0.1:9/")], steps)
    assert (len(asked), len(agents), record.failures) == (3, 2, [])
    record, agents, asked = called(tmp_path, lambda _url: [""], "  - pause_ms: 60000")
    assert (len(asked), len(agents)) == (ASKS_MAX, 1)
    assert "cannot be followed" in record.ended


@pytest.mark.parametrize(
    "steps",
    [
        (Connect("wss://h/media/a&b"), Redirect("https://h/r")),
        (Pause(2), Redirect("https://h/r")),
        (Dial("+15550100"),),
        (Dial("+15550100", "https://h/r?a=1&b=2", 12),),
        (Say("We are <sorry>."), Hangup()),
        (Say("https://cdn.example/hold.mp3"), Hangup()),
        (Hangup(busy=True),),
        (),
    ],
)
def test_every_answer_of_the_webhooks_is_read(steps: Steps) -> None:
    assert twiml_reader.read(twiml.write(steps)) == steps


@pytest.mark.parametrize(
    "text",
    [
        "no XML",
        "<Answer/>",
        "<Response><Play>x.mp3</Play></Response>",
        "<Response><Connect><Stream url='http://h/'/></Connect></Response>",
        "<Response><Pause length='999'/></Response>",
        "<Response><Redirect>/relative</Redirect></Response>",
        "<!DOCTYPE r [<!ENTITY a 'b'>]><Response/>",
        "<Response>" + " " * (64 << 10) + "</Response>",
    ],
)
def test_what_no_carrier_could_carry_out_is_a_fault(text: str) -> None:
    with pytest.raises(LineFault):
        twiml_reader.read(text)
