"""Stages: a table, moved by final words and by what was done."""

from __future__ import annotations

import pytest
from offhook.policies.conversation import stages
from offhook.policies.conversation.stages import STAGES, Cause
from offhook.policies.core.draft import Draft
from offhook.policies.core.events import ActionFinished, WordsHeard
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import Act, AgentSpeech, Authority, CallState, Playing, Stage, Utterance
from offhook.policies.evidence import cues

POLICY = Policy.model_validate(
    {
        "name": "test",
        "agents": {"none": {"code": "none:None"}},
        "gate": {"actions": {"book": {"irreversible": True}, "look": {}}},
    }
)


def hear(state: CallState, text: str, *, final: bool = True) -> CallState:
    draft = Draft(state, POLICY)
    draft.state.revision += 1
    draft.state.now_ms += 1_000
    event = WordsHeard(draft.state.now_ms, draft.state.revision, text, final, 0, draft.state.now_ms)
    cues.words_heard(draft, event)
    stages.words_heard(draft, event)
    return draft.state


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (Stage.OPENING, "hello who is this", Stage.QUALIFYING),
        (Stage.QUALIFYING, "tell me more", Stage.OFFERING),
        (Stage.QUALIFYING, "it's too expensive", Stage.OBJECTING),
        (Stage.OFFERING, "let's do it", Stage.BOOKING),
        (Stage.OFFERING, "let's do it but i have to ask my wife", Stage.OBJECTING),
        (Stage.BOOKING, "i'm too busy right now", Stage.OBJECTING),
        (Stage.BOOKING, "tuesday at ten", Stage.BOOKING),
        (Stage.BOOKING, "okay goodbye", Stage.CLOSING),
        (Stage.QUALIFYING, "don't call me again", Stage.CLOSING),
        (Stage.CLOSING, "okay thank you", Stage.CLOSING),
    ],
)
def test_words_move_the_stage(before: Stage, text: str, after: Stage) -> None:
    assert hear(CallState(call="c", stage=before), text).stage is after


def test_partial_words_do_not() -> None:
    assert hear(CallState(call="c", stage=Stage.OFFERING), "let's do it", final=False).stage is Stage.OFFERING


def test_an_objection_that_is_eased_leads_back_to_the_offer() -> None:
    state = hear(CallState(call="c", stage=Stage.OFFERING), "it's too expensive")
    assert state.stage is Stage.OBJECTING
    assert hear(state, "okay fair enough").stage is Stage.OBJECTING  # it was not answered yet
    answer = Utterance("u", "", Purpose.ANSWER, Asks.NOTHING, True, "a", "g", "price", playing=Playing.ENDED)
    state.speech = AgentSpeech(None, answer)
    assert hear(state, "okay that helps").stage is Stage.OFFERING


def test_naming_the_terms_is_offering() -> None:
    offered = CallState(call="c", stage=Stage.QUALIFYING, authority=Authority(done=(("say:offer", 1, 5),)))
    assert hear(offered, "hmm").stage is Stage.OFFERING
    unheard = Utterance("u", "", Purpose.OFFER, Asks.OPEN, True, "a", "g", playing=Playing.CUT, started_ms=5)
    state = CallState(call="c", stage=Stage.QUALIFYING, speech=AgentSpeech(None, unheard))
    assert hear(state, "hmm").stage is Stage.QUALIFYING, "terms that were not heard are not named"


def test_who_asked_to_stop_is_never_argued_with() -> None:
    state = hear(CallState(call="c", stage=Stage.OFFERING), "take me off your list")
    assert hear(state, "it's too expensive anyway").stage is Stage.CLOSING


@pytest.mark.parametrize(
    ("action", "ok", "after"),
    [("book", True, Stage.CLOSING), ("book", False, Stage.BOOKING), ("look", True, Stage.BOOKING)],
)
def test_what_cannot_be_undone_closes(action: str, ok: bool, after: Stage) -> None:
    done = Act("g1", action, (), "k", ok, "", 7)
    draft = Draft(CallState(call="c", stage=Stage.BOOKING, now_ms=7, authority=Authority(acts=(done,))), POLICY)
    stages.action_finished(draft, ActionFinished(7, "g1", ok, ""))
    assert draft.state.stage is after


def test_every_stage_can_be_left_for_closing() -> None:
    for stage in Stage:
        if stage is not Stage.CLOSING:
            assert STAGES[stage, Cause.STOPPED] is Stage.CLOSING


def test_an_unknown_cause_is_an_error() -> None:
    with pytest.raises(ValueError, match="bored"):
        stages.advance(Draft(CallState(call="c"), POLICY), "bored")
