"""The gateway on real sockets: a carrier's WebSocket on one side, a call's link server on the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.contracts.errors import NoSpare
from offhook.actors.contracts.messages import (
    PROTOCOL,
    Ack,
    Audio,
    Clear,
    Digit,
    GatewayHello,
    Hangup,
    Mark,
    Marked,
    Pace,
    Past,
    Play,
    Stopped,
    Transfer,
)
from offhook.actors.link.link import Array, Link, LinkServer, connect
from offhook.policies.core.errors import CallerFault
from offhook.serve.carriers import messages, registry
from offhook.serve.carriers.twilio import media_stream
from offhook.serve.contracts.carrier_choice import CarrierChoice
from offhook.serve.contracts.claim import Claim
from offhook.serve.gateway import carrier_socket, tokens
from offhook.serve.gateway import gateway as gateway_module
from offhook.serve.gateway import line as line_module
from offhook.serve.gateway.frame_batching import TOGETHER
from offhook.serve.gateway.gateway import Gateway
from offhook.serve.gateway.line import FRAMES_KEPT, Playback
from offhook.serve.gateway.tolerance import BAD_MAX, WINDOW_S, Dropped, Tolerance
from picows import WSMsgType
from twilio_phone import Phone

SECRET = "a secret of this test"
FRAME = bytes(range(160))


class Owner:
    """The call's end: a real link server; each link that the gateway opens is one `Ownership`."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.links: asyncio.Queue[tuple[Link, Array, asyncio.Queue[Array]]] = asyncio.Queue()
        self.server = LinkServer(self._hello)

    def _hello(self, link: Link, _grant: Any, rest: Array) -> None:
        said: asyncio.Queue[Array] = asyncio.Queue()
        link.on_message = lambda _link, message: said.put_nowait(message)
        link.on_close = lambda _link, reason: said.put_nowait(["closed", reason])
        self.links.put_nowait((link, rest, said))

    def claim(self, epoch: int = 1) -> Claim:
        return Claim(self.server.endpoint, self.server.admit("line"), epoch)

    async def linked(self) -> tuple[Link, Array, asyncio.Queue[Array]]:
        async with asyncio.timeout(60):
            return await self.links.get()


async def said(queue: asyncio.Queue[Array]) -> Array:
    async with asyncio.timeout(60):
        return await queue.get()


class Installation:
    """A gateway with its owner; `claims` answers the gateway's claims."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.claims: Callable[[str], Claim] = lambda _call: owner.claim()
        self.claimed: list[str] = []
        self.lost: list[int] = []
        self.gateway = Gateway(SECRET, self._claim, registry.load([CarrierChoice("twilio")]))
        self.phones: list[Phone] = []

    async def _claim(self, call: str, lost_epoch: int) -> Claim:
        self.lost.append(lost_epoch)
        self.claimed.append(call)
        return self.claims(call)

    async def phone(self, call: str = "c1", path: str | None = None) -> Phone:
        path = f"/media/{tokens.issue(SECRET, call, time.time())}" if path is None else path
        phone = await Phone.dial(f"ws://127.0.0.1:{self.gateway.port}{path}")
        self.phones.append(phone)
        return phone


@asynccontextmanager
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    owner = Owner(f"unix:{tmp_path}/call")
    await owner.server.start(owner.endpoint)
    made = Installation(owner)
    await made.gateway.start("127.0.0.1", 0)
    try:
        yield made
    finally:
        await made.gateway.stop()
        await owner.server.stop()
        for phone in made.phones:
            phone.transport.disconnect(False)


def run(tmp_path: Path, test: Callable[[Installation], Awaitable[None]]) -> None:
    async def main() -> None:
        async with installation(tmp_path) as made, asyncio.timeout(60):
            await test(made)

    uvloop.run(main())


def test_frames_marks_and_digits_reach_the_call_and_its_orders_reach_the_carrier(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone("call-7")
        phone.start()
        link, hello, heard = await installation.owner.linked()
        assert installation.claimed == ["call-7"]
        assert hello == ["MZ1", "mulaw8k", 0, ["", 0, 0, 0], PROTOCOL, True]
        phone.send(phone.writer.media(FRAME), phone.writer.dtmf("5"), phone.writer.mark("m"), phone.writer.media(FRAME))
        assert [await said(heard) for _ in range(4)] == [
            [Audio.NAME, 0, FRAME],
            [Digit.NAME, "5", 0],
            [Marked.NAME, "m"],
            [Audio.NAME, 1, FRAME],
        ]
        link.send(Play.NAME, 1, FRAME * 3)
        link.send(Mark.NAME, 1, "u1:500")
        link.send(Clear.NAME, 1)
        played = await phone.heard()
        assert (played["event"], played["streamSid"]) == ("media", "MZ1")
        assert media_stream.read_application(json.dumps(played).encode()) == messages.Media(FRAME * 3)
        assert await phone.heard() == {"event": "mark", "streamSid": "MZ1", "mark": {"name": "u1:500"}}
        assert await phone.heard() == {"event": "clear", "streamSid": "MZ1"}
        phone.send(phone.writer.stop())
        assert await said(heard) == [Stopped.NAME, "the caller hung up"]
        assert (await phone.goodbye())[0] == 1000

    run(tmp_path, test)


def test_the_call_hangs_up(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        link, _, heard = await installation.owner.linked()
        link.send(Hangup.NAME, 1, "goodbye said")
        assert await phone.goodbye() == (1000, "goodbye said")
        assert await said(heard) == [Stopped.NAME, "goodbye said"]
        assert (await said(heard))[0] == "closed"
        assert installation.claimed == ["c1"]  # an ended line is not claimed anew

    run(tmp_path, test)


def test_a_transfer_makes_the_line_give_way_and_the_call_hears_it_lost_not_ended(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        link, _, heard = await installation.owner.linked()
        link.send(Transfer.NAME, 1, "+15550123", False)
        assert await phone.goodbye() == (1000, "transferred")
        assert (await said(heard))[0] == "closed"
        while installation.gateway.sockets:  # noqa: ASYNC110 - the gateway has no event for it
            await asyncio.sleep(0.001)
        assert installation.gateway.lines == {} and installation.claimed == ["c1"]
        back = await installation.phone(path=f"/media/{tokens.issue(SECRET, 'c1', time.time() + 1)}")
        back.start()
        await installation.owner.linked()  # nobody was reached: the same call goes on

    run(tmp_path, test)


def test_the_token_may_come_as_a_parameter(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone(path="/media")
        phone.start(token=tokens.issue(SECRET, "c9", time.time()))
        await installation.owner.linked()
        assert installation.claimed == ["c9"]

    run(tmp_path, test)


@pytest.mark.parametrize("path", ["/media/no.such.token.x", f"/media/{tokens.issue('other', 'c1', time.time())}"])
def test_a_wrong_token_is_refused_at_once(tmp_path: Path, path: str) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone(path=path)
        code, reason = await phone.goodbye()
        assert code == 1008
        assert "token" in reason
        assert installation.gateway.stats().faults == {"token": 1}
        assert installation.claimed == []

    run(tmp_path, test)


@pytest.mark.parametrize("token", ["a.1.b.\ud800", "a.1.\ud800.x", "a.\u0661.b.x", "\u00e4.1.b.x"])
def test_a_token_of_other_characters_is_none(tmp_path: Path, token: str) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone(path="/media")
        phone.start(token=token)
        assert await phone.goodbye() == (1008, "this is not a media token")

    run(tmp_path, test)


def test_a_token_opens_one_stream(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        path = f"/media/{tokens.issue(SECRET, 'c1', time.time())}"
        first = await installation.phone(path=path)
        first.start()
        await installation.owner.linked()
        second = await installation.phone(path=path)
        assert (await second.goodbye()) == (1008, "the media token was used before; each one opens one stream")
        assert not first.closed.done()

    run(tmp_path, test)


Act = Callable[[Phone], None]


def sends(raw: str | bytes) -> Act:
    return lambda phone: phone.send(raw if isinstance(raw, bytes) else raw.encode())


def in_parts(phone: Phone) -> None:
    """A message that is too long, in six frames."""
    phone.transport.send(WSMsgType.TEXT, b'{"event":"media","media":{"payload":"', fin=False)
    for _ in range(4):
        phone.transport.send(WSMsgType.CONTINUATION, b"A" * 40_000, fin=False)
    phone.transport.send(WSMsgType.CONTINUATION, b'"}}')


# What a carrier may send in mid-call that cannot be read, and the kind that it is counted as. None of it ends a call.
BAD: dict[str, tuple[Act, str]] = {
    "no JSON": (sends("hello?"), "json"),
    "nothing": (sends(""), "json"),
    "half of a message": (sends('{"event":"media","str'), "json"),
    "bytes that are no text": (sends(b"\xff\xfe\x00"), "json"),
    "an array": (sends('["media"]'), "json"),
    "a number": (sends("7"), "json"),
    "nested without end": (sends("[" * 50_000), "json"),
    "a number without end": (sends('{"event":"media","sequenceNumber":' + "9" * 5_000 + "}"), "json"),
    "no event": (sends('{"streamSid":"MZ1"}'), "json"),
    "an event that is a number": (sends('{"event":5}'), "json"),
    "an unknown event": (sends('{"event":"hologram","streamSid":"MZ1"}'), "json"),
    "media without anything": (sends('{"event":"media","streamSid":"MZ1"}'), "json"),
    "media without payload": (sends('{"event":"media","streamSid":"MZ1","media":{}}'), "format"),
    "media that are a list": (sends('{"event":"media","streamSid":"MZ1","media":[]}'), "json"),
    "a payload that is a number": (sends('{"event":"media","streamSid":"MZ1","media":{"payload":7}}'), "format"),
    "wrong base64": (sends('{"event":"media","streamSid":"MZ1","media":{"payload":"*"}}'), "format"),
    "wrong base64, quickly": (
        lambda p: p.send(p.writer.media(FRAME).replace(b'"payload":"AAEC', b'"payload":"A*EC')),
        "format",
    ),
    "an unknown track": (sends('{"event":"media","media":{"track":"both","payload":"AAAA"}}'), "format"),
    "another stream": (sends('{"event":"media","streamSid":"MZ2","media":{"payload":"AAAA"}}'), "order"),
    "another stream's end": (sends('{"event":"stop","streamSid":"MZ2"}'), "order"),
    "connected again": (lambda p: p.send(p.writer.connected()), "order"),
    "started again": (lambda p: p.send(p.writer.start()), "order"),
    "a key that is none": (sends('{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"E"}}'), "json"),
    "two keys at once": (sends('{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"12"}}'), "json"),
    "a key without a digit": (sends('{"event":"dtmf","streamSid":"MZ1","dtmf":{}}'), "json"),
    "a mark without a name": (sends('{"event":"mark","streamSid":"MZ1","mark":{}}'), "json"),
    "a mark with half a character": (sends('{"event":"mark","streamSid":"MZ1","mark":{"name":"\\ud800"}}'), "json"),
    "a mark with a long name": (sends('{"event":"mark","mark":{"name":"' + "x" * 300 + '"}}'), "json"),
    "an oversized message": (sends('{"event":"media","media":{"payload":"' + "A" * 80_000 + '"}}'), "size"),
    "an oversized message in parts": (in_parts, "size"),
    "binary": (lambda p: p.transport.send(WSMsgType.BINARY, b"\0"), "json"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_message_in_mid_call_is_dropped_and_counted_and_the_call_goes_on(tmp_path: Path, bad: str) -> None:
    async def test(installation: Installation) -> None:
        act, kind = BAD[bad]
        phone = await installation.phone()
        phone.start()
        link, _, heard = await installation.owner.linked()
        phone.send(phone.writer.media(FRAME))
        act(phone)
        phone.send(phone.writer.media(FRAME), phone.writer.dtmf("a"), phone.writer.mark("m"))
        assert [await said(heard) for _ in range(4)] == [
            [Audio.NAME, 0, FRAME],
            [Audio.NAME, 1, FRAME],
            [Digit.NAME, "A", 0],
            [Marked.NAME, "m"],
        ]
        link.send(Clear.NAME, 1)
        assert (await phone.heard())["event"] == "clear"
        stats = installation.gateway.stats()
        assert (stats.messages_dropped, stats.faults) == ({kind: 1}, {})
        assert not phone.closed.done()

    run(tmp_path, test)


def test_all_of_them_one_after_the_other_cost_no_call_while_the_caller_is_heard(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        for _ in range(10):
            for act, _ in BAD.values():
                act(phone)
                phone.send(phone.writer.media(FRAME))
                assert (await said(heard))[0] == Audio.NAME
        dropped = installation.gateway.stats().messages_dropped
        assert sum(dropped.values()) == 10 * len(BAD)
        assert set(dropped) == {"json", "format", "order", "size"}
        assert not phone.closed.done()

    run(tmp_path, test)


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_stream_of_which_most_cannot_be_read_is_closed_and_touches_no_other(tmp_path: Path, good: int) -> None:
    async def test(installation: Installation) -> None:
        bad_phone, other = await installation.phone("bad"), await installation.phone("good")
        bad_phone.start()
        _, _, bad_heard = await installation.owner.linked()
        other.start()
        _, _, heard = await installation.owner.linked()
        for _ in range(2 * BAD_MAX):
            bad_phone.send(b"hello?", b"hello?", b"hello?", *(bad_phone.writer.media(FRAME) for _ in range(good)))
        code, reason = await bad_phone.goodbye()
        assert code == 1007
        assert reason == "most messages cannot be read; the last: a message is not JSON"
        while (word := await said(bad_heard))[0] != "closed":  # the call sees its line lost, not ended
            assert word[0] == Audio.NAME
        assert installation.gateway.stats().faults == {"json": 1}
        other.send(other.writer.media(FRAME))
        assert await said(heard) == [Audio.NAME, 0, FRAME]
        assert list(installation.gateway.lines) == ["good"]

    run(tmp_path, test)


def test_bad_messages_are_borne_while_there_are_as_many_good_ones_or_few_in_a_time() -> None:
    half = Tolerance()
    assert all(half.bears(n * 0.02, n) for n in range(1_000))
    mostly = Tolerance()
    borne = [mostly.bears(n * 0.02, n * 9 // 10) for n in range(100)]
    assert borne.index(False) == BAD_MAX - 1
    chatter = Tolerance()  # a word that is not known, five times a second and alone, is nearly too much
    assert all(chatter.bears(n * 0.205, 0) for n in range(1_000))
    denser = Tolerance()
    assert not all(denser.bears(n * WINDOW_S / BAD_MAX, 0) for n in range(BAD_MAX))
    burst = Tolerance()  # however many came before, it is the last ones that count
    assert all(burst.bears(n * 0.02, n) for n in range(1_000))
    assert not all(burst.bears(20 + n * 0.02, 1_000) for n in range(BAD_MAX))


def test_dropped_messages_are_told_in_one_line_now_and_then_without_what_was_in_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dropped = Dropped()
    for n in range(1_000):
        dropped.note("json" if n % 2 else "format", "c1", n * 0.02)
    assert dropped.by_kind == {"json": 500, "format": 500}
    told = [(record.message, vars(record)["dropped"], vars(record)["dropped_in_all"]) for record in caplog.records]
    assert told == [("carrier messages dropped; the calls go on", n, at) for n, at in ((1, 1), (500, 501))]


def test_the_agents_own_sound_is_never_the_callers_and_no_fault(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        own = bytes(160)
        for n in range(2 * BAD_MAX):
            raw = phone.writer.media(own).replace(b'"track":"inbound"', b'"track":"outbound"')
            phone.send(raw, *([phone.writer.media(FRAME)] if n % 5 == 0 else []))
        for n in range(2 * BAD_MAX // 5):
            assert await said(heard) == [Audio.NAME, n, FRAME]
        stats = installation.gateway.stats()
        assert (stats.messages_dropped, stats.faults, stats.sequence_gaps) == ({}, {}, 0)

    run(tmp_path, test)


def test_numbers_that_do_not_follow_are_counted_and_cost_nothing(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        for step in (1, 2, 1, -3, 1, 0, 500):
            phone.writer.sequence += step - 1
            phone.send(phone.writer.media(FRAME))
        for n in range(7):
            assert await said(heard) == [Audio.NAME, n, FRAME]
        assert (installation.gateway.stats().sequence_gaps, installation.gateway.stats().messages_dropped) == (
            4,
            {},
        )
        phone.send(phone.writer.stop())
        await phone.goodbye()
        while installation.gateway.sockets:  # noqa: ASYNC110 - the gateway has no event for it
            await asyncio.sleep(0.001)
        assert installation.gateway.stats().sequence_gaps == 4

    run(tmp_path, test)


@pytest.mark.parametrize("bad", ["no JSON", "an unknown event", "binary", "wrong base64"])
def test_before_there_is_a_call_a_bad_message_closes_the_socket(tmp_path: Path, bad: str) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.send(phone.writer.connected())
        BAD[bad][0](phone)
        code, reason = await phone.goodbye()
        assert code in (1002, 1003, 1007) and reason
        assert sum(installation.gateway.stats().faults.values()) == 1
        assert installation.gateway.stats().messages_dropped == {}
        assert installation.claimed == []

    run(tmp_path, test)


def test_a_frame_above_every_limit_closes_the_socket(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        phone.send(b"x" * (gateway_module.FRAME_BYTES_MAX + 1))
        assert (await phone.goodbye())[0] == 1009
        assert (await said(heard))[0] == "closed"  # the call sees its line lost, not ended
        assert installation.gateway.stats().faults == {"frame": 1}

    run(tmp_path, test)


def test_a_wrong_media_format_is_refused_before_the_call_is_claimed(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        start = phone.writer.start().replace(b"8000", b"16000")
        phone.send(phone.writer.connected(), start)
        code, reason = await phone.goodbye()
        assert code == 1003
        assert "8000 Hz" in reason
        assert installation.claimed == []

    run(tmp_path, test)


def test_a_message_may_come_in_several_frames(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        raw = phone.writer.media(FRAME)
        phone.transport.send(WSMsgType.TEXT, raw[:50], fin=False)
        phone.transport.send(WSMsgType.CONTINUATION, raw[50:])
        assert await said(heard) == [Audio.NAME, 0, FRAME]

    run(tmp_path, test)


def test_frames_of_any_length_are_cut_into_20_ms(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        _, _, heard = await installation.owner.linked()
        phone.send(phone.writer.media(FRAME + FRAME[:80]), phone.writer.media(FRAME[80:] + FRAME[:10]))
        assert [await said(heard) for _ in range(2)] == [[Audio.NAME, 0, FRAME], [Audio.NAME, 1, FRAME]]

    run(tmp_path, test)


def test_an_owner_sets_how_many_frames_travel_together_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        epochs = iter([1, 2])
        installation.claims = lambda _call: installation.owner.claim(next(epochs))
        phone = await installation.phone()
        phone.start()
        first, _, heard = await installation.owner.linked()
        frames = [bytes([i]) * 160 for i in range(9)]
        first.send(Pace.NAME, 1, 1_000)  # no more than a gateway allows
        first.send(Mark.NAME, 1, "set")
        await phone.heard()
        phone.send(*(phone.writer.media(frame) for frame in frames[:7]))
        assert await said(heard) == [Audio.NAME, 0, b"".join(frames[:TOGETHER])]
        first.send(Pace.NAME, 1, 1)  # what waits leaves
        assert await said(heard) == [Audio.NAME, TOGETHER, b"".join(frames[TOGETHER:7])]
        first.send(Pace.NAME, 1, 3)
        first.send(Mark.NAME, 1, "set again")
        await phone.heard()
        first.abort("the process died")
        _second, _, heard = await installation.owner.linked()
        assert await said(heard) == [Audio.NAME, 0, b"".join(frames[:7])]
        phone.send(*(phone.writer.media(frame) for frame in frames[7:]))
        assert [await said(heard) for _ in range(2)] == [[Audio.NAME, i, frames[i]] for i in (7, 8)]

    run(tmp_path, test)


def test_unacknowledged_audio_goes_to_the_next_owner_and_only_its_epoch_is_obeyed(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        epochs = iter([1, 2])
        installation.claims = lambda _call: installation.owner.claim(next(epochs))
        phone = await installation.phone()
        phone.start()
        first, _, heard = await installation.owner.linked()
        frames = [bytes([i]) * 160 for i in range(5)]
        phone.send(*(phone.writer.media(frame) for frame in frames[:4]))
        for i in range(4):
            assert await said(heard) == [Audio.NAME, i, frames[i]]
        first.send(Ack.NAME, 1, 1)
        first.send(Mark.NAME, 1, "acknowledged")
        await phone.heard()
        first.abort("the process died")
        second, hello, heard = await installation.owner.linked()
        assert hello[2] == 4
        assert await said(heard) == [Past.NAME, 0, frames[0] + frames[1]]
        assert await said(heard) == [Audio.NAME, 2, frames[2] + frames[3]]
        assert installation.lost == [0, 1]  # whoever is asked knows which owner was lost
        phone.send(phone.writer.media(frames[4]))
        assert await said(heard) == [Audio.NAME, 4, frames[4]]
        second.send(Clear.NAME, 1)  # of the fenced epoch: not obeyed
        second.send(Mark.NAME, 2, "obeyed")
        assert (await phone.heard())["mark"] == {"name": "obeyed"}
        assert installation.gateway.stats().fenced == 1
        second.send(Ack.NAME, 2, 4)
        second.send(Mark.NAME, 2, "again")
        await phone.heard()
        assert installation.gateway.lines["c1"].unacknowledged == 0

    run(tmp_path, test)


def test_ten_seconds_are_kept_and_the_oldest_is_dropped_first(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        epochs = iter([1, 2])
        installation.claims = lambda _call: installation.owner.claim(next(epochs))
        phone = await installation.phone()
        phone.start()
        first, _, heard = await installation.owner.linked()
        more = FRAMES_KEPT + 7
        phone.send(*(phone.writer.media(FRAME) for _ in range(more)))
        for _ in range(more):
            await said(heard)
        assert installation.gateway.stats().frames_lost == 7
        first.abort("the process died")
        _, _, heard = await installation.owner.linked()
        assert await said(heard) == [Audio.NAME, 7, FRAME * FRAMES_KEPT]

    run(tmp_path, test)


def test_the_line_goes_to_the_owner_of_whom_the_supervisor_tells_and_says_how_far_the_carrier_is(
    tmp_path: Path,
) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        first, _, before = await installation.owner.linked()
        first.send(Mark.NAME, 1, "u1/1.1/0")
        clock = asyncio.get_running_loop().time
        began_s = clock()
        first.send(Play.NAME, 1, FRAME * 20)
        for _ in range(2):
            await phone.heard()
        installation.gateway.owned("c1", installation.owner.claim(2))
        second, hello, _ = await installation.owner.linked()
        mark, after_ms, unplayed_ms, cleared = hello[3]
        assert (mark, after_ms, cleared) == ("u1/1.1/0", 400, 0)
        assert 400 - round((clock() - began_s) * 1_000) - 1 <= unplayed_ms <= 400
        assert (await said(before))[0] == "closed"
        second.send(Clear.NAME, 2)
        assert (await phone.heard())["event"] == "clear"
        installation.gateway.owned("c1", installation.owner.claim(3))
        _, hello, _ = await installation.owner.linked()
        assert hello[3][0] == "u1/1.1/0" and hello[3][3] == 1
        assert installation.claimed == ["c1"]  # nobody had to ask

    run(tmp_path, test)


def test_an_owner_that_comes_to_an_ended_line_hears_of_the_end(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        first, _, _ = await installation.owner.linked()
        first.abort("the process died")
        phone.send(phone.writer.stop())
        await phone.goodbye()
        installation.claims = lambda _call: installation.owner.claim(2)
        installation.gateway.owned("c1", installation.owner.claim(2))
        while True:  # the claim that followed the loss may have been faster than the stop
            _, hello, heard = await installation.owner.linked()
            assert GatewayHello.from_fields(hello).protocol == PROTOCOL
            if (word := await said(heard))[0] == Stopped.NAME:
                assert word == [Stopped.NAME, "the caller hung up"]
                return

    run(tmp_path, test)


@pytest.mark.parametrize("when", ["before the claim is answered", "while the owner is reached"])
def test_an_owner_hears_of_a_caller_who_hung_up_before_it_had_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()

        async def reach(*told: Any, **ways: Any) -> Link:
            phone.send(phone.writer.stop())
            await phone.goodbye()
            return await connect(*told, **ways)

        if when == "while the owner is reached":
            monkeypatch.setattr(line_module, "connect", reach)
            phone.start()
        else:
            phone.start()
            phone.send(phone.writer.media(FRAME), phone.writer.stop())
        _, _, heard = await installation.owner.linked()
        assert await said(heard) == [Stopped.NAME, "the caller hung up"]

    run(tmp_path, test)


def test_a_caller_who_hung_up_before_the_first_owner_was_there_is_told_to_it(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        tried = asyncio.Event()

        def nobody_yet(_call: str) -> Claim:
            tried.set()
            raise NoSpare("nobody yet")

        installation.claims = nobody_yet
        phone = await installation.phone()
        phone.start()
        phone.send(phone.writer.stop())
        await phone.goodbye()
        await tried.wait()
        installation.claims = lambda _call: installation.owner.claim()
        _, _, heard = await installation.owner.linked()
        assert await said(heard) == [Stopped.NAME, "the caller hung up"]

    run(tmp_path, test)


def test_playback_is_reckoned_by_the_clock_and_corrected_by_marks() -> None:
    playback = Playback()
    assert playback.report(0.0) == ["", 0, 0, 0]
    playback.mark("a")
    playback.sent(8_000, 10.0)
    playback.mark("b")
    playback.sent(4_000, 10.1)
    assert playback.report(10.1) == ["b", 500, 1_400, 0]
    playback.marked("b", 11.2)  # 200 ms later than reckoned
    assert playback.report(11.3) == ["b", 500, 400, 0]
    playback.clear(11.3)
    playback.clear(11.6)  # nothing was there any more
    assert playback.report(20.0) == ["b", 500, 400, 1]
    playback.mark("c")
    playback.sent(800, 20.0)
    assert playback.report(20.05) == ["c", 100, 50, 0]
    assert playback.report(30.0) == ["c", 100, 0, 0]


def test_a_call_that_is_over_ends_its_line_with_the_reason(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        def over(call: str) -> Claim:
            raise CallerFault(f"call {call} is over")

        installation.claims = over
        phone = await installation.phone()
        phone.start()
        assert await phone.goodbye() == (1000, "call c1 is over")
        assert installation.gateway.stats().faults == {"call": 1}

    run(tmp_path, test)


def test_a_line_without_an_owner_is_tried_again_and_ends_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "JOIN_WITHIN_S", 1.0)  # for two claims, however busy the machine is
    monkeypatch.setattr(gateway_module, "JOIN_PAUSE_S", 0.01)

    async def test(installation: Installation) -> None:
        def none(call: str) -> Claim:
            raise NoSpare("none left")

        installation.claims = none
        phone = await installation.phone()
        phone.start()
        assert await phone.goodbye() == (1000, "nobody leads this call: none left")
        assert len(installation.claimed) > 1

    run(tmp_path, test)


def test_a_call_that_comes_back_makes_its_old_line_give_way(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        old = await installation.phone()
        old.start()
        _, _, old_heard = await installation.owner.linked()
        new = await installation.phone()
        new.start()
        link, _, _ = await installation.owner.linked()
        assert (await old.goodbye())[0] == 1000
        assert (await said(old_heard))[0] == "closed"  # lost, not stopped: the call goes on
        link.send(Clear.NAME, 1)
        assert (await new.heard())["event"] == "clear"
        assert len(installation.gateway.lines) == 1

    run(tmp_path, test)


def test_a_socket_that_never_starts_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier_socket, "START_WITHIN_S", 0.01)

    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        code, reason = await phone.goodbye()
        assert code == 1008
        assert "no 'start'" in reason

    run(tmp_path, test)


def test_a_carrier_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        link, _, heard = await installation.owner.linked()
        phone.transport.underlying_transport.pause_reading()
        link.backlog_bytes_max = 1 << 30
        for _ in range(100):
            link.send(Play.NAME, 1, bytes(160_000))
        assert (await said(heard))[0] == "closed"
        assert installation.gateway.stats().faults == {"unread": 1}

    run(tmp_path, test)


def test_an_unknown_path_is_not_found_and_health_is(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        answers = {}
        for path in ("/elsewhere", "/mediator/x", "/healthz"):
            reader, writer = await asyncio.open_connection("127.0.0.1", installation.gateway.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answers[path] = (await reader.readline()).split()[1]
            writer.close()
        assert answers == {"/elsewhere": b"404", "/mediator/x": b"404", "/healthz": b"200"}

    run(tmp_path, test)


def test_a_call_that_talks_nonsense_loses_its_link_only(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        phone = await installation.phone()
        phone.start()
        link, _, heard = await installation.owner.linked()
        link.send(Play.NAME, 1, "text")
        assert (await said(heard))[0] == "closed"
        again, _, _ = await installation.owner.linked()
        again.send(Clear.NAME, 1)
        assert (await phone.heard())["event"] == "clear"

    run(tmp_path, test)
