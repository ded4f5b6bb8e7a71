"""The API without Ray: every address of the contract, each error as problem+json, TwiML, the console.

Behind it stands a switchboard that keeps its calls in memory; the real one is asked in `tests/ray`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from offhook.actors.contracts.call_operations import AFTER_SEQ_MAX, CallList, CallSummary, News, TimedNotice
from offhook.actors.contracts.errors import LinkLost, NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.metrics import MetricRow
from offhook.actors.contracts.node_operations import CallRequest, NodeFigures, Reservation
from offhook.actors.contracts.operations import plain, read
from offhook.cluster.errors import Overflow
from offhook.cluster.operations import ClusterFigures, Cost, CostRow, MetricList, Resumption
from offhook.policies.core import codec
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.core.proposals import Answer, Kind, RuleResult, Verdict
from offhook.policies.core.records import Record
from offhook.policies.gate.entry import TELLABLE
from offhook.serve.carriers.twilio import twiml
from offhook.serve.carriers.webhook import Hangup, Pause, Say
from offhook.serve.client.control_client import ControlClient
from offhook.serve.contracts.carrier_choice import CarrierChoice
from offhook.serve.gateway import tokens
from offhook.serve.web.api import make_api
from offhook.serve.web.public_addresses import PublicAddresses

LEADS = {"sales": "v1", "monologue": "v2"}
SECRET = "a secret of this test"
FORM = {"CallSid": "CA123", "From": "+15550001", "To": "+15550002"}


VERDICT = Verdict(
    "v1", "p1", "booking", Kind.TOOL, "book", Answer.DENY, 900, 7, 3, "booking", "proposed",
    (RuleResult("fresh", "turn 4", "turn 3", ok=False),),
)  # fmt: skip


NODES = ("ab12c" + "0" * 51, "ab12d" + "0" * 51)


class Memory(ControlClient):
    """A switchboard with `spares` spares and its calls in memory."""

    def __init__(self, spares: int = 2) -> None:
        self.spares = spares
        self.rows: dict[str, dict[str, Any]] = {}
        self.records: list[list[Any]] = []
        self.decided: list[tuple[Any, ...]] = []
        self.drained_by: list[str] = []
        self.away = False
        self.overflow: Overflow | None = None

    async def reserve(self, request: CallRequest) -> Reservation:
        if self.away:
            raise LinkLost("the supervisor is gone")
        if self.overflow is not None:
            raise self.overflow
        if not self.spares:
            raise NoSpare("none left")
        policy = request.policy or "sales"
        if policy not in LEADS:
            raise UnknownPolicy(f"policy {policy!r} is not published here; published: {', '.join(sorted(LEADS))}")
        self.spares -= 1
        led = {"policy": LEADS[policy], "live": True, "epoch": 1, "owner": "call-1"}
        self.rows[request.call] = plain(request) | led
        return Reservation(request.call, epoch=1)

    async def cost(self) -> Cost:
        return Cost(rows=(CostRow(policy_version="v1", cents=1.0),))

    async def measured(self) -> MetricList:
        row = MetricRow("offhook_calls", "gauge", "", "live calls", {"node": NODES[0][:8]}, 3.0)
        return MetricList((row, replace(row, name="offhook_nodes", labels={})))

    def _row(self, call: str) -> dict[str, Any]:
        if call not in self.rows:
            raise NoSuchCall(f"call {call!r} is not known on this node")
        return self.rows[call]

    async def resume(self, call: str) -> Resumption:
        if self.away:
            raise LinkLost("the director is gone")
        if not self.spares:
            raise NoSpare("nobody can take it over")
        if self._row(call).get("outcome"):
            raise NoSuchCall(f"call {call!r} is over")
        return Resumption("node-2", ("node-2.example", 8801))

    async def calls(self, live: bool | None = None, limit: int = 0) -> CallList:
        rows = [read(CallSummary, row, "a row") for row in reversed(self.rows.values())]
        rows = [row for row in rows if live is None or row.live is live]
        return CallList(tuple(rows[: limit or None]), len(rows))

    async def state(self, call: str) -> dict[str, Any]:
        row = self._row(call)
        return {**row, "floor": {"holder": "agent", "since_ms": 40}, "signals": [{"sign": "interest"}]}

    async def journal(self, call: str, after_seq: int, limit: int) -> list[list[Any]]:
        self._row(call)
        return [record for record in self.records if record[2] > after_seq][:limit]

    async def follow(self, call: str, after_seq: int = -1, wait_s: float = 0.0) -> News:
        self._row(call)
        assert wait_s <= 20
        return News((TimedNotice(after_seq + 1, 5, 3, 1, "stage", {}),), after_seq + 1)

    async def verdicts(self, call: str) -> list[dict[str, Any]]:
        self._row(call)
        return [codec.encode(VERDICT)]

    async def hangup(self, call: str, by: Principal, reason: str) -> None:
        if not self._row(call)["live"]:
            raise NoSuchCall(f"call {call!r} is not live on this node")
        self._row(call).update(live=False, outcome=f"{by}: {reason}")

    async def decide(self, call: str, proposal: str, approved: bool, operator: Principal) -> None:
        self._row(call)
        if proposal == "late":
            raise CallerFault("proposal 'late' does not wait for approval")
        self.decided.append((call, proposal, approved, operator))

    async def drain(self, node: str, on: bool = True, by: Principal = NOBODY) -> NodeFigures:
        self.drained = {node} if on else set()
        self.drained_by.append(by.text)
        return NodeFigures(node=node, draining=on, calls=3)

    async def stats(self) -> ClusterFigures:
        if self.away:
            raise LinkLost("the supervisor is gone")
        nodes = {node: NodeFigures(node=node, calls=3) for node in NODES}
        return ClusterFigures(nodes, free_slots=self.spares, silent=(NODES[1],))


def run(
    test: Callable[[httpx.AsyncClient, Memory], Awaitable[None]], memory: Memory | None = None, **options: Any
) -> None:
    memory = memory or Memory()
    door = PublicAddresses(SECRET, 8790, **{"ring_s": 0.0, "queue_message": "All busy.", **options})
    api = make_api(memory, door)

    async def main() -> None:
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://voice.example:8000") as client:
            await test(client, memory)

    asyncio.run(main())


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:offhook:problem:{name}")
    assert body["title"] and body["detail"] and body["instance"].startswith("/")
    return body


def test_a_call_from_placing_to_hanging_up() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        answer = await client.post("/v1/calls", json={"policy": "monologue", "from": "+1", "to": "+2"})
        assert answer.status_code == 201
        call, media_url = answer.json()["call_id"], answer.json()["media_url"]
        assert memory.rows[call]["policy"] == "v2"
        assert (memory.rows[call]["caller"], memory.rows[call]["callee"]) == ("+1", "+2")
        base, _, token = media_url.rpartition("/")
        assert base == "ws://voice.example:8790/media/twilio"
        assert tokens.TokenVerifier(SECRET).redeem(token, time.time()) == call
        listed = (await client.get("/v1/calls")).json()
        assert [row["call_id"] for row in listed["calls"]] == [call]
        shown = (await client.get(f"/v1/calls/{call}")).json()
        assert (shown["call_id"], shown["floor"], shown["epoch"]) == (call, "agent", 1)
        assert shown["ledger"] == [{"sign": "interest"}]
        for _again in range(2):
            assert (await client.delete(f"/v1/calls/{call}")).status_code == 204
        verdicts = (await client.get(f"/v1/calls/{call}/verdicts")).json()["verdicts"]
        assert [(verdict["answer"], verdict["rules"][0]["required"]) for verdict in verdicts] == [("deny", "turn 4")]
        assert (await client.get("/v1/calls", params={"live": True})).json() == {"calls": [], "total": 0}
        assert (await client.get("/v1/calls", params={"live": False})).json()["total"] == 1

    run(test)


def test_an_empty_request_places_a_call_under_the_default_policy() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        for body in (None, {}):
            call = (await client.post("/v1/calls", json=body)).json()["call_id"]
            assert (memory.rows[call]["policy"], memory.rows[call]["direction"]) == ("v1", "inbound")

    run(test)


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ({"policy": "nosuch"}, "unknown-policy", "published: monologue, sales"),
        ({"direction": "sideways"}, "invalid-request", "direction: Input should be 'inbound' or 'outbound'"),
        ({"form": "+1"}, "invalid-request", "form: Extra inputs are not permitted"),
        ([], "invalid-request", "body"),
    ],
)
def test_a_request_that_cannot_be_read_says_what_is_allowed(body: Any, name: str, words: str) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        assert words in problem(await client.post("/v1/calls", json=body), 422, name)["detail"]
        assert not memory.rows

    run(test)


def test_json_that_is_none_is_a_problem_too() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        answer = await client.post("/v1/calls", content=b"{", headers={"content-type": "application/json"})
        problem(answer, 422, "invalid-request")

    run(test)


def test_what_is_not_there_is_a_problem() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        for path in ("", "/journal", "/verdicts"):
            problem(await client.get(f"/v1/calls/none{path}"), 404, "no-such-call")
        problem(await client.delete("/v1/calls/none"), 404, "no-such-call")
        problem(await client.get("/v1/calls/a%20b"), 422, "invalid-request")
        problem(await client.get("/v2"), 404, "not-found")
        problem(await client.put("/v1/calls"), 405, "method-not-allowed")

    run(test)


def test_no_spare_and_a_supervisor_that_is_away_can_be_tried_again() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        answer = await client.post("/v1/calls", json={})
        problem(answer, 503, "no-spare")
        assert answer.headers["retry-after"] == "2"
        told = (await client.get("/healthz")).json()
        assert (told["status"], told["free_slots"]) == ("ok", 0)
        memory.away = True
        problem(await client.get("/healthz"), 503, "part-away")
        problem(await client.post("/v1/calls", json={}), 503, "part-away")

    run(test, Memory(spares=0))


def test_a_house_in_which_every_node_drains_is_alive_and_not_ready() -> None:
    class Draining(Memory):
        draining = False

        async def stats(self) -> ClusterFigures:
            return ClusterFigures({NODES[0]: NodeFigures(draining=self.draining)}, silent=NODES[1:])

    installation = Draining()

    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        assert (await client.get("/readyz")).json() == {"status": "ok", "nodes": 1, "free_slots": 0}
        installation.draining = True
        answer = await client.get("/readyz")
        problem(answer, 503, "no-spare")
        assert "no node takes calls: 1 drain" in answer.json()["detail"]
        assert (await client.get("/healthz")).status_code == 200

    run(test, installation)


def test_a_fault_of_offhook_is_told_without_its_inside() -> None:
    class Broken(Memory):
        async def calls(self, *_: Any) -> CallList:
            raise RuntimeError("secret inside")

    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        answer = await client.get("/v1/calls")
        problem(answer, 500, "bug")
        assert "secret inside" not in answer.text

    run(test, Broken())


def test_a_caller_rings_as_long_as_the_setting_says() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        await client.post("/carriers/twilio/voice", data=FORM)
        assert [memory.rows[each]["wait_s"] for each in (call, "CA123")] == [3.5, 3.5]

    run(test, ring_s=3.5)


def test_the_journal_is_read_in_pages() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        memory.records = [Record(call, 1, seq, seq * 20, "event", ["x"]) for seq in range(5)]
        url = f"/v1/calls/{call}/journal"
        page = (await client.get(url, params={"limit": 3})).json()
        assert [record["seq"] for record in page["records"]] == [0, 1, 2]
        assert page["records"][0] == {"epoch": 1, "seq": 0, "at_ms": 0, "kind": "event", "body": ["x"]}
        page = (await client.get(url, params={"limit": 3, "after_seq": page["next_after_seq"]})).json()
        assert [record["seq"] for record in page["records"]] == [3, 4]
        assert page["next_after_seq"] is None
        problem(await client.get(url, params={"limit": 0}), 422, "invalid-request")

    run(test)


def test_an_operator_decides() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        word = {"approved": True, "operator": "kim"}
        assert (await client.post(f"/v1/calls/{call}/proposals/p1", json=word)).status_code == 202
        assert memory.decided == [(call, "p1", True, Principal.of("person:kim"))]
        url, no = f"/v1/calls/{call}/proposals/p2", {"approved": False}
        assert (await client.post(url, json=no, headers={"X-Offhook-By": "program:console"})).status_code == 202
        assert memory.decided[-1][2:] == (False, Principal.of("program:console"))
        assert "say who decides" in problem(await client.post(url, json=no), 409, "not-possible")["detail"]
        assert len(memory.decided) == 2
        problem(await client.post(f"/v1/calls/{call}/proposals/late", json=word), 409, "not-possible")
        problem(await client.post(f"/v1/calls/{call}/proposals/p1", json={"approved": "so"}), 422, "invalid-request")

    run(test)


@pytest.mark.parametrize("after_seq", [2**32, 2**63 - 1, 2**63, 10**30])
def test_no_number_is_asked_for_that_no_journal_has(after_seq: int) -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        bound = {"detail": f"Input should be less than or equal to {AFTER_SEQ_MAX}", "field": "after_seq"}
        for records in ("journal", "notices"):
            url = f"/v1/calls/{call}/{records}"
            told = problem(await client.get(url, params={"after_seq": after_seq}), 422, "invalid-request")
            assert told["errors"] == [bound]
            assert (await client.get(url, params={"after_seq": AFTER_SEQ_MAX})).status_code == 200
        told = problem(await client.get(f"/v1/calls/{call}/journal?limit={after_seq}"), 422, "invalid-request")
        assert told["errors"][0]["detail"] == "Input should be less than or equal to 10000"

    run(test)


@pytest.mark.parametrize("written", ["a%0ab", "a%00b", "%0a", "a%E2%80%AEb"])
def test_what_a_call_would_not_be_told_is_refused_where_it_is_asked_for(written: str) -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        told = problem(await client.delete(f"/v1/calls/{call}?reason={written}"), 422, "invalid-request")
        assert told["errors"] == [{"field": "reason", "detail": TELLABLE}]
        word = {"approved": True, "operator": "kim"}
        told = problem(await client.post(f"/v1/calls/{call}/proposals/{written}", json=word), 422, "invalid-request")
        assert told["errors"] == [{"field": "proposal_id", "detail": TELLABLE}]
        assert memory.rows[call]["live"] and memory.decided == []

    run(test)


def test_a_decision_on_what_does_not_wait_is_told_to_be_on_nothing() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        call = (await client.post("/v1/calls", json={})).json()["call_id"]
        memory.rows[call]["approvals"] = [{"proposal": "p2"}]
        word = {"approved": True, "operator": "kim"}
        detail = problem(await client.post(f"/v1/calls/{call}/proposals/p1", json=word), 404, "no-such-proposal")
        assert detail["detail"] == f"no proposal 'p1' waits in call {call}; what waits for a person there: p2"
        assert memory.decided == []
        assert (await client.post(f"/v1/calls/{call}/proposals/p2", json=word)).status_code == 202
        problem(await client.post("/v1/calls/nobody/proposals/p2", json=word), 404, "no-such-call")

    run(test)


def test_twilio_s_webhook_connects_the_audio_and_names_what_comes_after() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        answer = await client.post("/carriers/twilio/voice?policy=monologue", data={**FORM, "CallStatus": "ringing"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/xml")
        response = ElementTree.fromstring(answer.text)
        assert [verb.tag for verb in response] == ["Connect", "Redirect"]
        stream = response.find("Connect/Stream")
        assert stream is not None
        base, _, token = stream.attrib["url"].rpartition("/")
        assert base == "ws://voice.example:8790/media/twilio"
        assert tokens.TokenVerifier(SECRET).redeem(token, time.time()) == "CA123"
        assert response[1].text == "http://voice.example:8000/carriers/twilio/resume"
        assert memory.rows["CA123"]["policy"] == "v2"
        assert memory.rows["CA123"]["caller"] == "+15550001"

    run(test)


def test_a_busy_house_lets_the_carrier_reject() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        answer = await client.post("/carriers/twilio/voice", data=FORM)
        assert (answer.status_code, answer.text) == (200, twiml.write((Hangup(busy=True),)))

    run(test, Memory(spares=0))


def test_an_overflow_is_a_busy_line_a_message_in_the_queue_or_another_number() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        async def voice(overflow: Overflow) -> ElementTree.Element:
            memory.overflow = overflow
            asked = await client.post("/carriers/twilio/voice?tenant=acme&priority=high", data=FORM)
            assert asked.status_code == 200
            return ElementTree.fromstring(asked.text)

        assert [verb.tag for verb in await voice(Overflow("busy", "full"))] == ["Reject"]
        message, pause, again = await voice(Overflow("queue", "full"))
        assert (message.tag, message.text, pause.tag) == ("Say", "All busy.", "Pause")
        assert again.text == "http://voice.example:8000/carriers/twilio/voice?tenant=acme&priority=high"
        (dial,) = await voice(Overflow("redirect", "full", "+4930"))
        assert (dial.tag, dial.text, dial.attrib["timeout"]) == ("Dial", "+4930", "30")
        assert dial.attrib["action"] == "http://voice.example:8000/carriers/twilio/resume"
        told = problem(await client.post("/v1/calls", json={"tenant": "acme"}), 503, "no-spare")
        assert (told["overflow"], told["to"]) == ("redirect", "+4930")
        memory.overflow = None
        await client.post("/carriers/twilio/voice?tenant=acme&priority=high", data=FORM)
        row = memory.rows["CA123"]
        assert (row["tenant"], row["priority"], row["queue"]) == ("acme", "high", True)

    run(test)


def test_a_recorded_message_is_played() -> None:
    verbs = ElementTree.fromstring(twiml.write((Say("https://cdn.example/hold.mp3"), Pause(2))))
    assert (verbs[0].tag, verbs[0].text) == ("Play", "https://cdn.example/hold.mp3")


def test_what_calls_have_cost_is_told() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        assert (await client.get("/v1/cost")).json()["rows"][0]["policy_version"] == "v1"

    run(test)


def test_a_call_is_followed_from_a_notice_on() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        call = (await client.post("/v1/calls")).json()["call_id"]
        told = (await client.get(f"/v1/calls/{call}/notices", params={"after_seq": 4, "wait_s": 1})).json()
        assert (told["call_id"], told["next_after_seq"], told["notices"][0]["seq"]) == (call, 5, 5)
        problem(await client.get("/v1/calls/nobody/notices"), 404, "no-such-call")
        assert (await client.get(f"/v1/calls/{call}/notices", params={"wait_s": 21})).status_code == 422

    run(test)


def test_metrics_are_told_with_their_node() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        rows = (await client.get("/v1/metrics")).json()["metrics"]
        assert [(row["name"], row["labels"]) for row in rows] == [
            ("offhook_calls", {"node": NODES[0][:8]}),
            ("offhook_nodes", {}),
        ]

    run(test)


def test_public_addresses_are_told_to_the_carrier() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        text = (await client.post("/carriers/twilio/voice", data=FORM)).text
        assert 'url="wss://media.example/media/twilio/CA123.' in text
        assert "https://api.example/carriers/twilio/resume<" in text

    run(test, public_url="https://api.example/", public_media_url="wss://media.example/")


def test_a_webhook_that_is_not_signed_by_twilio_is_refused_when_there_is_a_secret() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        problem(await client.post("/carriers/twilio/voice", data=FORM), 403, "forbidden")
        assert not memory.rows
        url = "http://voice.example:8000/carriers/twilio/voice?policy=sales"
        signed = {"X-Twilio-Signature": twiml.signature("auth", url, FORM.items())}
        assert (await client.post(url, data=FORM, headers=signed)).status_code == 200
        problem(await client.post(url, data={**FORM, "To": "+1"}, headers=signed), 403, "forbidden")
        for strange in ("\u00e4\u00f6", "", "\udcff"):
            headers = {"X-Twilio-Signature": strange.encode(errors="surrogatepass")}
            problem(await client.post(url, data=FORM, headers=headers), 403, "forbidden")

    run(test, carriers=(CarrierChoice("twilio", {"auth_token": "auth"}),))


def test_the_signature_is_twilio_s() -> None:
    """The example of https://www.twilio.com/docs/usage/security#validating-requests."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twiml.signature("12345", url, form.items()) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


def test_openapi_lists_every_address_and_the_console_is_served() -> None:
    async def test(client: httpx.AsyncClient, _memory: Memory) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert set(paths) == {
            "/v1/calls",
            "/v1/calls/{call_id}",
            "/v1/calls/{call_id}/journal",
            "/v1/calls/{call_id}/notices",
            "/v1/calls/{call_id}/verdicts",
            "/v1/calls/{call_id}/proposals/{proposal_id}",
            "/v1/metrics",
            "/v1/nodes",
            "/v1/nodes/{node}/drain",
            "/v1/policies",
            "/v1/policies/{version}",
            "/v1/rollouts",
            "/v1/rollouts/{name}",
            "/v1/rollouts/{name}/{word}",
            "/v1/rollouts/{name}/divergence",
            "/v1/rollouts/{name}/report",
            "/v1/carriers",
            "/v1/cost",
            "/healthz",
            "/readyz",
            "/carriers/twilio/voice",
            "/carriers/twilio/resume",
        }
        console = await client.get("/", follow_redirects=True)
        assert console.status_code == 200
        assert "offhook" in console.text
        assert "default-src 'none'" in console.headers["content-security-policy"]

    run(test)


def test_a_node_is_drained_by_the_beginning_of_its_id_and_takes_calls_again() -> None:
    async def test(client: httpx.AsyncClient, memory: Memory) -> None:
        told = (await client.get("/v1/nodes")).json()
        assert [row["node"] for row in told["nodes"]] == list(NODES)
        assert (told["nodes"][0]["calls"], told["silent"]) == (3, [NODES[1]])
        answer = await client.post("/v1/nodes/ab12c/drain")
        assert (answer.status_code, answer.json()["node"], memory.drained) == (202, NODES[0], {NODES[0]})
        assert memory.drained_by == ["program:anonymous@127.0.0.1"]
        assert (await client.delete("/v1/nodes/ab12c/drain")).json()["draining"] is False
        ambiguous = problem(await client.post("/v1/nodes/ab12/drain"), 409, "not-possible")
        assert "more than one node; nodes are ab12c000, ab12d000" in ambiguous["detail"]
        problem(await client.post("/v1/nodes/ab12ff/drain"), 409, "not-possible")

    run(test)
