"""Whether a carrier keeps to the port (`offhook.serve.carriers.port`): what one of its ends writes the other reads.

One call checks one carrier; each part raises AssertionError with what does not hold. Where a carrier signs its
webhooks, hand in `other`, the same one with another secret.
"""

from __future__ import annotations

import asyncio
from itertools import product

from offhook.policies.core.errors import CallerFault
from offhook.serve.carriers.messages import (
    KEYS,
    Clear,
    Digit,
    FromCarrier,
    HangUp,
    Mark,
    Media,
    Order,
    SendKeys,
    SocketMessage,
    Start,
    Stop,
    Transfer,
)
from offhook.serve.carriers.port import Carrier, NotOffered, Outgoing, PlayedStream, Signal, StreamReader
from offhook.serve.carriers.webhook import (
    Ask,
    CallIn,
    Connect,
    Dial,
    Hangup,
    NotAuthentic,
    Pause,
    Redirect,
    Say,
    Steps,
    StreamEnded,
    TransferEnded,
    WebhookRequest,
)
from offhook.serve.contracts.errors import LineFault

FRAME = bytes(range(160))
CALL = "call-7_x"
URL = "https://offhook.example/carriers/x/y?policy=sales&tenant=a"
ASKS: tuple[Ask, ...] = (
    CallIn(CALL, "+15550001", "+15550002", "inbound"),
    CallIn(CALL, "sip:\u00fc@example.org", "", "outbound"),
    StreamEnded(CALL),
    TransferEnded(CALL, True, "completed"),
    TransferEnded(CALL, False, "busy"),
)
ANSWERS: tuple[Steps, ...] = (
    (Connect("wss://h.example/media/x/a.b.c"), Redirect(URL)),
    (Pause(1), Redirect(URL)),
    (Say("All lines <are> busy & we \u201care\u201d sorry."), Pause(2), Redirect(URL)),
    (Say("https://cdn.example/a.mp3?b=c&d=e"), Hangup()),
    (Dial("+1555<9>", URL, 20),),
    (Hangup(),),
    (Hangup(busy=True),),
)
ORDERS: tuple[tuple[Signal, Order], ...] = (
    (Signal.HANG_UP, HangUp("goodbye said")),
    (Signal.TRANSFER, Transfer("+15550199")),
    (Signal.SEND_KEYS, SendKeys("12#")),
)
NONSENSE = (b"", b"{", b"[]", b"\xff\xfe\x00", b"[" * 50_000, b'{"event":"hologram"}', b'{"type":"hologram"}')


def check(carrier: Carrier, other: Carrier | None = None) -> None:
    """All of it."""
    assert isinstance(carrier, Carrier)
    check_stream(carrier)
    check_application(carrier)
    check_nonsense(carrier)
    check_webhooks(carrier)
    check_answers(carrier)
    check_signals(carrier)
    if other is not None:
        check_strangers(carrier, other)


def check_stream(carrier: Carrier) -> None:
    """What the carrier's end says on a stream arrives as it was meant, and begins with one `Start`."""
    ours, theirs = begun(carrier, {"token": "a.b.c"})
    for digit in sorted(KEYS):
        key = read(ours, theirs.digit(digit))
        assert isinstance(key, Digit) and key.digit == digit, key
    for name in ("u1:500", 'a "quoted" \u00e4'):
        mark = read(ours, theirs.mark(name))
        assert isinstance(mark, Mark) and mark.name == name, mark
    for audio in (FRAME, bytes(160), FRAME * 3):
        written = theirs.media(audio)
        assert len(written.payload) <= carrier.capabilities.message_bytes_max
        media = read(ours, written)
        assert isinstance(media, Media) and media.audio == audio, media
    assert ours.gaps == 0, "a stream without a missing message is said to have gaps"
    *_, last = [read(ours, message) for message in theirs.closing()]
    assert isinstance(last, Stop), last
    names = {carrier.played().stream(CALL).name for _ in range(10)}
    assert len(names) == 10, "two streams have the same name"


def begun(carrier: Carrier, parameters: dict[str, str]) -> tuple[StreamReader, PlayedStream]:
    """A stream that has started: our reader of it, and the carrier's end."""
    ours, theirs = carrier.reader(), carrier.played().stream(CALL)
    messages = [read(ours, message) for message in theirs.opening(parameters)]
    (start,) = [message for message in messages if isinstance(message, Start)]
    assert messages[-1] is start, "the opening ends with Start"
    assert (start.stream, start.call) == (theirs.name, CALL)
    assert dict(start.parameters) == parameters
    return ours, theirs


def read(reader: StreamReader, message: SocketMessage) -> FromCarrier:
    return reader.read(message.payload, message.binary)


def check_application(carrier: Carrier) -> None:
    """What the application says arrives at the carrier's end."""
    theirs = carrier.played().stream(CALL)
    ours = carrier.writer(theirs.name)
    said = (
        (ours.media(FRAME * 25), Media(FRAME * 25)),
        (ours.mark("u1:500"), Mark("u1:500")),
        (ours.mark('a "quoted" \u00e4'), Mark('a "quoted" \u00e4')),
        (ours.clear(), Clear()),
    )
    for written, meant in said:
        assert theirs.read(written.payload, written.binary) == meant
    assert len(ours.media(FRAME * 25).payload) <= carrier.capabilities.message_bytes_max, "half a second must fit"


def check_nonsense(carrier: Carrier) -> None:
    """What is no message is a LineFault at either end, and the stream goes on behind it."""
    ours, theirs = begun(carrier, {})
    for raw in NONSENSE:
        for reading in (ours.read, theirs.read, carrier.reader().read):
            try:
                reading(raw, False)
            except LineFault as fault:
                assert fault.reason and 1000 <= fault.code <= 4999, fault
            else:
                raise AssertionError(f"{raw[:20]!r} is taken for a message")
    media = read(ours, theirs.media(FRAME))
    assert isinstance(media, Media) and media.audio == FRAME
    early = carrier.reader()
    try:
        read(early, theirs.media(FRAME))
    except LineFault as fault:
        assert fault.kind == "order", fault.kind
    else:
        raise AssertionError("audio before the stream has started")


def check_webhooks(carrier: Carrier) -> None:
    """What is asked is read as it was meant; what cannot be read is a CallerFault or an ask without a call."""
    webhooks = carrier.webhooks
    assert webhooks.paths and webhooks.resume in webhooks.paths
    assert all("/" not in path and path for path in webhooks.paths)
    for ask in ASKS:
        asked = carrier.played().ask(ask, URL)
        assert asked.method == "POST"
        request = WebhookRequest(asked.url, {}, {n.lower(): v for n, v in asked.headers.items()}, asked.body)
        webhooks.verify(request)
        path = webhooks.resume if not isinstance(ask, CallIn) else webhooks.paths[0]
        assert webhooks.read(path, request) == ask
    for path, body in product(webhooks.paths, (*NONSENSE, b"x" * 100_000)):
        try:
            found = webhooks.read(path, WebhookRequest(URL, {}, {}, body))
        except CallerFault:
            continue
        assert found is None or not found.call, f"{body[:20]!r} is read as {found}"


def check_answers(carrier: Carrier) -> None:
    """All answers come to the carrier's end as they were meant."""
    for steps, ask in product((*ANSWERS, ()), (*ASKS, None)):
        answer = asyncio.run(carrier.webhooks.answer(ask, steps))
        assert answer.status < 300 and answer.media_type
        assert carrier.played().steps(answer) == steps


def check_signals(carrier: Carrier) -> None:
    """What is declared is done, what is not raises NotOffered."""
    offered = carrier.capabilities.signals
    assert Signal.ANSWER in offered, "a carrier that cannot be answered brings no calls"
    theirs = carrier.played().stream(CALL)
    for signal, order in ORDERS:
        try:
            messages = carrier.writer(theirs.name).order(order)
        except NotOffered as fault:
            assert (fault.signal, signal in offered) == (signal, False)
            continue
        assert signal in offered, f"{signal} is done and not declared"
        assert messages or signal is not Signal.SEND_KEYS, "keys are said on the stream"
        assert [theirs.read(message.payload, message.binary) for message in messages] in ([order], [])
    if Signal.DIAL not in offered:
        try:
            asyncio.run(carrier.dial(Outgoing("+1", "+2", URL)))
        except NotOffered as fault:
            assert fault.signal is Signal.DIAL
        else:
            raise AssertionError("it dials and does not declare it")


def check_strangers(carrier: Carrier, other: Carrier) -> None:
    """Who has another secret, or changes what was signed, is refused."""
    ask = ASKS[0]
    good, forged = carrier.played().ask(ask, URL), other.played().ask(ask, URL)
    headers = {name.lower(): value for name, value in good.headers.items()}
    strangers = (
        WebhookRequest(URL, {}, {name.lower(): value for name, value in forged.headers.items()}, forged.body),
        WebhookRequest(URL, {}, {}, good.body),
        WebhookRequest(URL + "x", {}, headers, good.body),
        WebhookRequest(URL, {}, headers, carrier.played().ask(ASKS[1], URL).body),
        WebhookRequest(URL, {}, dict.fromkeys(headers, "ä�"), good.body),
    )
    for stranger in strangers:
        try:
            carrier.webhooks.verify(stranger)
        except NotAuthentic:
            continue
        raise AssertionError(f"a stranger is believed: {dict(stranger.headers)}")
