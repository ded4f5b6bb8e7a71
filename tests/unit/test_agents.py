"""The stock agents under the stock sales policy: whole conversations, from the greeting to the outcome."""

from __future__ import annotations

import importlib.util

import pytest
import yaml
from dialogue import EXAMPLES, Dialogue, failed, granted, sales_policy
from offhook.policies.agents import Agent, load
from offhook.policies.agents.base import fixed
from offhook.policies.core.commands import CutSpeech, Perform
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Answer
from offhook.policies.language.lines.lines import section
from offhook.policies.replay.replay import replay

QUALIFIED = ("Yes, sure.", "We are three people.", "About five a week.")


def conversation(*turns: str, **changes: object) -> Dialogue:
    call = Dialogue(sales_policy(**changes)).begins()
    call.settles()
    for words in turns:
        call.caller_says(words)
    return call


def test_from_the_greeting_to_a_booked_meeting() -> None:
    call = conversation(*QUALIFIED, "Yes, let's do it.", "Tuesday at ten in the morning.", "Yes, that's right.")
    assert call.said[0].startswith("Hi, this is Joe")
    assert "forty nine dollars" in call.said[3]
    assert [(p.action, p.arguments) for p in call.performed] == [("book_meeting", (("time", "tuesday at 10 am"),))]
    assert "tuesday at 10 am" in call.said[-1]
    call.caller_says("No, that's all, thank you.")
    call.passes(5_000)
    assert call.hung_up == "booked" and call.said[-1].endswith("Goodbye.")


def test_an_open_concern_denies_the_booking_with_its_reason_until_it_is_answered() -> None:
    call = conversation(*QUALIFIED)
    call.passes(2_800)  # four seconds of silence after the price, counting what `caller_says` waited
    assert len(call.said) == 4, "a price is thought over; nobody prompts"
    call.caller_says("Okay, sounds good, sign me up.")
    verdicts = call.caller_says("Tuesday at ten. But honestly we are really busy, I'm worried about the timing.")
    (denied,) = [v for v in verdicts if v.what == "book_meeting"]
    assert denied.answer is Answer.DENY
    assert denied.reason == "concerns: needs no open concern, is timing open"
    assert "no rush" in call.said[-1], "the concern is answered instead"
    call.caller_says("Okay, that works for me.")
    verdicts = call.caller_says("Yes, that is correct.")
    assert [v.moment for v in granted(verdicts, "book_meeting")] == ["proposed", "floor", "execution"]
    assert len(call.performed) == 1


def test_an_interruption_on_the_price_is_answered_briefly() -> None:
    call = conversation(*QUALIFIED[:2])
    call.caller_speaks(QUALIFIED[2])
    while call.state.speech.current is None or not call.state.speech.current.started_ms:
        call.passes(50)
    call.passes(4_000)
    verdicts = call.caller_says("Wait, that sounds too expensive.")
    assert [c for c in call.commands if isinstance(c, CutSpeech)]
    assert call.said[-1] == "Forty nine dollars a month, and the first thirty days are free. Is that all right?"
    assert all(v.answer is Answer.GRANT for v in verdicts if v.agent == "objection")


def test_an_objection_softens_and_is_not_argued_again() -> None:
    call = conversation(*QUALIFIED, "That is too expensive.")
    assert "earn that back" in call.said[-1]
    call.caller_says("I guess that's fair.")
    assert call.said[-1].startswith("Good."), "a softening concern gets the light answer"
    verdicts = call.caller_says("Okay, let's do it.")
    assert call.state.concerns[0].standing.value == "resolved"
    assert "setup call" in call.said[-1] and not [v for v in verdicts if v.agent == "objection"]


def test_a_request_to_stop_is_honoured_at_once() -> None:
    call = conversation("Stop calling me.")
    call.passes(3_000)
    assert call.hung_up == "stopped" and "will not call you again" in call.said[-1]


def test_a_no_gets_the_details_in_writing_and_a_second_no_a_goodbye() -> None:
    call = conversation(*QUALIFIED, "No thanks, not interested.")
    assert "details in writing" in call.said[-1]
    sent = conversation(*QUALIFIED, "No thanks, not interested.", "Yes please.")
    sent.passes(5_000)
    assert [p.action for p in sent.performed] == ["send_details"] and sent.hung_up == "details_sent"
    call.caller_says("No, no thanks.")
    call.passes(5_000)
    assert call.hung_up == "declined" and not call.performed


def test_whoever_asks_for_a_person_is_put_through_or_called_back() -> None:
    call = conversation("Can I speak to a real person please?")
    assert "call you back" in call.said[-1]
    raw = yaml.safe_load((EXAMPLES / "sales" / "policy.yaml").read_text())["agents"]
    raw["closing"]["options"]["transfer_to"] = "+15550100"
    call = conversation("Can I speak to a real person please?", agents=raw)
    assert any("put you through" in text for text in call.said)
    assert [type(c).__name__ for c in call.commands].count("TransferCall") == 1


def test_a_tool_that_fails_is_told_and_tried_again_under_the_same_key() -> None:
    tries: list[str] = []

    def tool(command: Perform) -> tuple[bool, str]:
        tries.append(command.key)
        return len(tries) > 1, "busy"

    call = Dialogue(tool=tool).begins()
    call.settles()
    for words in (*QUALIFIED, "Yes, let's do it.", "Tuesday at ten.", "Yes, that's right."):
        call.caller_says(words)
    assert "did not take" in call.said[-1]
    call.passes(2_000)
    call.caller_says("Yes please, try again.")
    assert len(tries) == 2 and tries[0] == tries[1]
    assert "You are booked" in call.said[-1]


def test_a_wrong_time_is_asked_for_again() -> None:
    call = conversation(*QUALIFIED, "Yes, let's do it.", "Tuesday at ten.", "No, that is wrong.")
    assert "which day and time" in call.said[-1]
    call.caller_says("Wednesday at three.")
    assert "wednesday at 3" in call.said[-1] and not call.performed


def test_every_conversation_replays_byte_for_byte() -> None:
    call = conversation(*QUALIFIED, "That is too expensive.", "I guess that's fair.", "Okay, let's do it.", "Bye.")
    found = replay(call.journal)
    assert found.same, str(found.divergence)
    assert found.state == call.state


def test_agents_keep_nothing_between_two_questions() -> None:
    call = conversation(*QUALIFIED)
    from offhook.policies.conversation.view import view_of

    view = view_of(call.state, call.policy)
    for agent in call.agents.values():
        before = dict(vars(agent))
        first = agent.propose(view, "turn_ended")
        assert agent.propose(view, "turn_ended") == first and vars(agent) == before


def test_the_monologue_greets_at_length_and_answers_every_turn_with_one_speech_more() -> None:
    folder = EXAMPLES / "monologue"
    policy = Policy(**yaml.safe_load((folder / "policy.yaml").read_text()))
    spec = importlib.util.spec_from_file_location("monologue_agent", folder / "agents" / "monologue.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    agent: Agent = module.Monologue("monologue", policy.agents["monologue"])
    assert all(len(speech.split()) >= 130 for speech in module.SPEECHES), "40 s at 195 words a minute"
    view = {"done": {}, "turn": 0, "revision": 3}
    assert [p.text for p in agent.propose(view, "answered")] == [module.SPEECHES[0]]
    for turn in range(6):
        view = {"done": {"say:greeting": 1, "say:answer": turn}, "turn": turn, "revision": 9}
        assert [p.text for p in agent.propose(view, "turn_ended")] == [module.SPEECHES[(turn + 1) % 3]]
        assert agent.propose(view, "silence") == []


@pytest.mark.parametrize("name", ["qualification", "objection", "booking", "closing"])
def test_the_stock_agents_load_and_have_a_default_for_every_line(name: str) -> None:
    kind = load(f"offhook.policies.agents.{name}:{name.capitalize()}")
    assert issubclass(kind, Agent)
    agent = kind(name, AgentSpec(code="m:C"))
    assert section("en", name)
    assert all(agent.has_line(key) for key in section("en", name))
    with pytest.raises(PolicyError, match=rf"agents\.{name}\.lines: 'nothing' is missing"):
        agent.line("nothing", {"slots": {}})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("nonsense", "write module:Class"),
        ("offhook.policies.agents.nobody:Nobody", "cannot be imported"),
        ("offhook.policies.agents.booking:Nobody", "not a subclass"),
        ("offhook.policies.agents.booking:View", "not a subclass"),
    ],
)
def test_code_that_is_no_agent_is_refused_by_name(code: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        load(code)


def test_nothing_is_read_back_over_an_objection() -> None:
    call = conversation(*QUALIFIED, "Okay, sign me up.", "Tuesday at ten, but it is too expensive.")
    assert not [v for v in call.journal if v[4] == "x"]
    (denied,) = [
        c.verdict for c in call.commands if type(c).__name__ == "RecordVerdict" and c.verdict.what == "book_meeting"
    ]
    assert "concerns" in failed(denied)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hello.", "Hello."),
        ("This is {us: Joe from Brightline}.", "This is Joe from Brightline."),
        ("It is {price:  nine dollars }, and {term: free} at first.", "It is nine dollars, and free at first."),
        ("So that is {time}.", ""),
        ("It is {price: nine dollars} on {time}.", ""),
    ],
)
def test_a_line_is_fixed_where_nothing_in_it_comes_from_the_caller(line: str, said: str) -> None:
    assert fixed(line) == said
