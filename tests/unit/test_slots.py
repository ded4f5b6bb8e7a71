"""Slots: heard, read back, confirmed; denied, replaced, taken back."""

from __future__ import annotations

from typing import Any

from offhook.policies.core.draft import Draft
from offhook.policies.core.events import WordsHeard
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.policies.core.state import AgentSpeech, CallerSpeech, CallState, Playing, Utterance
from offhook.policies.evidence import cues, heard, slots

POLICY = Policy.model_validate({"name": "test", "agents": {"none": {"code": "none:None"}}})


class Talk:
    """A call in which the agent asks for a time and reads it back."""

    def __init__(self) -> None:
        self.state = CallState(call="c", turn=1)
        self.segment = 0

    def agent(self, purpose: Purpose, asks: Asks, **more: Any) -> Talk:
        given: dict[str, Any] = {"slot": "time", "playing": Playing.ENDED, "started_ms": 1} | more
        known = slots.find(self.state, "time")
        text = f"So that is {known.value if known is not None else 'it'}, is that right?"
        back = Proposal("p", "booking", Kind.SAY, 1, 0, text=text, purpose=purpose, asks=asks, slot=given["slot"])
        given |= {
            "terms": heard.terms_of(Draft(self.state, POLICY), back),
            "words": len(given.get("heard_text", "").split()),
        }
        said = Utterance("u", text, purpose, asks, True, "booking", "g", **given)
        self.state.speech = AgentSpeech(None, said)
        self.state.hearing = CallerSpeech(answering=asks)
        return self

    def asks(self) -> Talk:
        return self.agent(Purpose.QUESTION, Asks.TIME)

    def reads_back(self, **more: Any) -> Talk:
        return self.agent(Purpose.CONFIRMATION, Asks.YES_NO, **more)

    def caller(self, text: str, *, final: bool = True) -> Talk:
        draft = Draft(self.state, POLICY)
        draft.state.revision += 1
        draft.state.now_ms += 1_000
        cues.words_heard(draft, WordsHeard(draft.state.now_ms, self.segment, text, final, 0, draft.state.now_ms))
        self.segment += final
        self.state = draft.state
        return self

    @property
    def time(self) -> tuple[str, bool] | None:
        slot = slots.find(self.state, "time")
        return (slot.value, slot.confirmed) if slot is not None else None


def test_heard_then_read_back_then_confirmed() -> None:
    talk = Talk().asks().caller("tuesday at ten")
    assert talk.time == ("tuesday at 10", False)
    assert talk.reads_back().caller("yes that's right").time == ("tuesday at 10", True)


def test_a_yes_to_anything_else_confirms_nothing() -> None:
    talk = Talk().asks().caller("tuesday at ten").agent(Purpose.QUESTION, Asks.YES_NO, slot="")
    assert talk.caller("yes").time == ("tuesday at 10", False)


def test_a_partial_yes_confirms_nothing_yet() -> None:
    talk = Talk().asks().caller("tuesday at ten").reads_back().caller("yes", final=False)
    assert talk.time == ("tuesday at 10", False)
    assert talk.caller("yes no wait").time != ("tuesday at 10", True)


def test_a_reading_back_that_was_cut_cannot_be_confirmed() -> None:
    talk = Talk().asks().caller("tuesday at ten")
    talk.reads_back(playing=Playing.CUT, heard_ms=300, total_ms=2_000, heard_text="So that is").caller("yes")
    assert talk.time == ("tuesday at 10", False)
    talk.reads_back(playing=Playing.CUT, heard_ms=1_000, total_ms=2_000, heard_text="So that is tuesday at 10, is")
    assert talk.caller("yes").time == ("tuesday at 10", True)


def test_a_no_clears_it() -> None:
    assert Talk().asks().caller("tuesday at ten").reads_back().caller("no").time is None


def test_another_value_replaces_it_unconfirmed() -> None:
    talk = Talk().asks().caller("tuesday at ten").reads_back().caller("yes")
    assert talk.reads_back().caller("no, wednesday").time == ("wednesday at 10", False)


def test_the_same_value_again_keeps_the_confirmation() -> None:
    talk = Talk().asks().caller("tuesday at ten").reads_back().caller("yes")
    assert talk.caller("tuesday at ten right").time == ("tuesday at 10", True)


def test_said_in_pieces() -> None:
    assert Talk().asks().caller("tuesday").asks().caller("ten thirty").time == ("tuesday at 10:30", False)


def test_a_partial_value_that_is_taken_back_leaves_the_one_before() -> None:
    talk = Talk().asks().caller("tuesday at ten").asks().caller("friday", final=False)
    assert talk.time == ("friday at 10", False)
    assert talk.caller("fry day is", final=True).time == ("tuesday at 10", False)
    assert Talk().asks().caller("friday", final=False).caller("fry day", final=True).time is None


def test_a_number_dictated_with_pauses() -> None:
    talk = Talk()
    for part in ("five five five", "oh one two three"):
        talk.agent(Purpose.QUESTION, Asks.DIGITS, slot="phone").caller(part)
    found = slots.find(talk.state, "phone")
    assert found is not None
    assert found.value == "5550123"


def test_final_words_that_say_less_than_the_partial_ones_are_believed() -> None:
    talk = Talk().agent(Purpose.QUESTION, Asks.NAME, slot="name").caller("my name is mary if", final=False)
    found = slots.find(talk.caller("my name is mary").state, "name")
    assert found is not None and found.value == "Mary"
