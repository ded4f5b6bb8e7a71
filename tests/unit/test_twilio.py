"""The Twilio codec: what each side writes, the other reads; what breaks the protocol is refused with a clear reason."""

from __future__ import annotations

import json

import pytest
from offhook.serve.carriers import messages
from offhook.serve.carriers.twilio import media_stream
from offhook.serve.contracts.errors import LineFault

FRAME = bytes(range(160))


def started() -> tuple[media_stream.CarrierReader, media_stream.CarrierWriter]:
    reader, writer = media_stream.CarrierReader(), media_stream.CarrierWriter("MZ1", "CA1")
    reader.read(writer.connected())
    reader.read(writer.start({"token": "t"}))
    return reader, writer


def refused(reader: media_stream.CarrierReader, raw: bytes) -> LineFault:
    with pytest.raises(LineFault) as caught:
        reader.read(raw)
    return caught.value


def test_a_whole_stream_reads_as_it_was_written() -> None:
    reader, writer = media_stream.CarrierReader(), media_stream.CarrierWriter("MZ1", "CA1", "AC1")
    assert reader.read(writer.connected()) == messages.Connected()
    assert reader.read(writer.start({"token": "t"})) == messages.Start("MZ1", "CA1", {"token": "t"})
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    assert reader.read(writer.mark("half way")) == messages.Mark("half way")
    assert reader.read(writer.dtmf("#")) == messages.Digit("#")
    assert reader.read(writer.stop()) == messages.Stop()
    assert reader.gaps == 0


def test_media_in_another_form_reads_the_same() -> None:
    reader, writer = started()
    spaced = json.dumps(json.loads(writer.media(FRAME)), indent=1, sort_keys=True).encode()
    assert reader.read(spaced) == messages.Media(FRAME)
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)


def test_the_application_s_messages() -> None:
    writer = media_stream.ApplicationWriter("MZ1")
    assert media_stream.read_application(writer.media(FRAME)) == messages.Media(FRAME)
    assert media_stream.read_application(writer.mark('a "quoted" ä')) == messages.Mark('a "quoted" ä')
    assert media_stream.read_application(writer.clear()) == messages.Clear()
    assert json.loads(writer.clear()) == {"event": "clear", "streamSid": "MZ1"}
    with pytest.raises(LineFault, match="allowed: media, mark, clear"):
        media_stream.read_application(b'{"event":"stop"}')


@pytest.mark.parametrize(
    ("raw", "kind", "code", "words"),
    [
        (b"{", "json", 1007, "not JSON"),
        (b"\xff\xfe", "json", 1007, "not JSON"),
        (b"[" * 60_000, "json", 1007, "not JSON"),
        (b"[]", "json", 1007, "object"),
        (b"{}", "json", 1007, "'event'"),
        (b'{"event":"media"}', "json", 1007, "object 'media'"),
        (b'{"event":"media","media":{"payload":"%%%"}}', "format", 1003, "base64"),
        (b'{"event":"media","media":{"payload":7}}', "format", 1003, "base64"),
        (b'{"event":"start","start":{}}', "order", 1002, "'start' twice"),
        (b'{"event":"connected"}', "order", 1002, "'connected' twice"),
        (b'{"event":"dance"}', "json", 1002, "allowed: connected, start, media"),
        (b'{"event":"dtmf","dtmf":{"digit":"E"}}', "json", 1007, "0-9"),
        (b'{"event":"dtmf","dtmf":{"digit":"12"}}', "json", 1007, "0-9"),
        (b'{"event":"dtmf","dtmf":{"digit":""}}', "json", 1007, "0-9"),
        (b'{"event":"dtmf","dtmf":{"digit":1}}', "json", 1007, "0-9"),
        (b'{"event":"dtmf","dtmf":{"digit":"\xc3\x9f"}}', "json", 1007, "0-9"),
        (b'{"event":"dtmf","dtmf":"5"}', "json", 1007, "object 'dtmf'"),
        (b'{"event":"media","media":{}}', "format", 1003, "base64"),
        (b'{"event":"media","media":{"payload":"AAA"}}', "format", 1003, "base64"),
        (b'{"event":"media","media":{"payload":"\xc3\xa4"}}', "format", 1003, "base64"),
        (b'{"event":"media","media":{"track":"sideways","payload":"AAAA"}}', "format", 1003, "inbound"),
        (b'{"event":"media","media":{"track":[],"payload":"AAAA"}}', "format", 1003, "inbound"),
        (b'{"event":7}', "json", 1007, "'event'"),
        (b'{"event":"mark"}', "json", 1007, "object 'mark'"),
        (b'{"event":"mark","mark":{}}', "json", 1007, "1 to 256"),
        (b'{"event":"mark","mark":{"name":7}}', "json", 1007, "1 to 256"),
        (b'{"event":"mark","mark":{"name":"' + b"x" * 257 + b'"}}', "json", 1007, "1 to 256"),
        (b'{"event":"mark","mark":{"name":"\\ud800"}}', "json", 1007, "1 to 256"),
        (b'{"event":"mark","mark":{"name":""}}', "json", 1007, "1 to 256"),
        (b'{"event":"mark","streamSid":"MZ2","mark":{"name":"x"}}', "order", 1002, "MZ2"),
    ],
)
def test_what_breaks_the_protocol_is_refused(raw: bytes, kind: str, code: int, words: str) -> None:
    reader, _ = started()
    fault = refused(reader, raw)
    assert (fault.kind, fault.code) == (kind, code)
    assert words in fault.reason


def test_after_a_refusal_the_reader_reads_on() -> None:
    reader, writer = started()
    for raw in (b"{", b'{"event":"dance"}', b'{"event":"media","media":{}}', b'{"event":"stop","streamSid":"MZ2"}'):
        refused(reader, raw)
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    assert reader.gaps == 0


def test_the_fast_way_checks_the_stream_and_the_payload_too() -> None:
    reader, _ = started()
    assert refused(reader, media_stream.CarrierWriter("MZ9", "CA1").media(FRAME)).kind == "order"
    reader, writer = started()
    bad = writer.media(FRAME).replace(b'"payload":"AAEC', b'"payload":"!!!!')
    assert refused(reader, bad).kind == "format"


@pytest.mark.parametrize("form", ["fast", "slow"])
@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        (["2", "3", "4"], 0),
        (["2", "4", "5"], 1),  # one is missing
        (["3", "4"], 1),
        (["2", "2", "3"], 1),  # one came twice
        (["2", "1", "2", "3"], 1),  # a step back, and on from there
        (["999999999999", "2"], 2),
        (["2", "77", "3"], 2),
    ],
)
def test_numbers_that_do_not_follow_are_counted_and_cost_nothing(form: str, numbers: list[str], gaps: int) -> None:
    reader, _ = started()
    writer = media_stream.CarrierWriter("MZ1", "CA1")
    for number in numbers:
        writer.sequence = int(number) - 1
        raw = writer.media(FRAME)
        read = reader.read(raw if form == "fast" else json.dumps(json.loads(raw), indent=1).encode())
        assert isinstance(read, messages.Media) and read.audio == FRAME
    assert reader.gaps == gaps


@pytest.mark.parametrize("number", ["-1", "\u00b2", "1e3", " 2", "", True, 1.5, None, [], {}, -7, 10**30])
def test_a_number_that_is_none_is_no_number_and_costs_nothing(number: object) -> None:
    reader, writer = started()
    raw = {"event": "media", "sequenceNumber": number, "media": {"payload": "AAAA", "chunk": number}}
    assert reader.read(json.dumps(raw).encode()) == messages.Media(b"\0\0\0")
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    assert reader.gaps == 0


@pytest.mark.parametrize("digit", ["a", "b", "c", "d"])
def test_a_key_in_lower_case_is_that_key(digit: str) -> None:
    reader, writer = started()
    assert reader.read(writer.dtmf(digit)) == messages.Digit(digit.upper())


def test_the_application_s_own_sound_is_none_of_the_caller_s() -> None:
    reader, writer = started()
    own = writer.media(FRAME).replace(b'"track":"inbound"', b'"track":"outbound"')
    assert reader.read(own) == messages.Outbound()
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    tone = writer.dtmf("5").replace(b"inbound_track", b"outbound_track")
    assert reader.read(tone) == messages.Outbound()
    assert reader.gaps == 0


def test_nothing_comes_before_connected_nor_media_before_start_nor_anything_after_stop() -> None:
    writer = media_stream.CarrierWriter("MZ1", "CA1")
    assert "before 'connected'" in refused(media_stream.CarrierReader(), writer.start()).reason
    reader = media_stream.CarrierReader()
    reader.read(writer.connected())
    assert "before 'start'" in refused(reader, writer.media(FRAME)).reason
    reader, writer = started()
    reader.read(writer.stop())
    assert "after 'stop'" in refused(reader, writer.media(FRAME)).reason
    assert "after 'stop'" in refused(reader, writer.dtmf("1")).reason


@pytest.mark.parametrize(
    "form",
    [
        {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
        None,
    ],
)
def test_another_media_format_is_refused_and_the_right_one_named(form: object) -> None:
    reader, writer = media_stream.CarrierReader(), media_stream.CarrierWriter("MZ1", "CA1")
    reader.read(writer.connected())
    message = json.loads(writer.start())
    message["start"]["mediaFormat"] = form
    fault = refused(reader, json.dumps(message).encode())
    assert (fault.kind, fault.code) == ("format", 1003)
    assert form is None or "audio/x-mulaw, 8000 Hz, 1 channel" in fault.reason


def test_numbers_may_be_missing_and_the_next_one_follows_the_last() -> None:
    reader, writer = started()
    assert reader.read(b'{"event":"media","media":{"payload":"AAAA"}}') == messages.Media(b"\0\0\0")
    assert reader.read(writer.media(FRAME)) == messages.Media(FRAME)
    assert reader.gaps == 0
