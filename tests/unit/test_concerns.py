"""The life of a concern: open, softening, resolved, reopened; answered in proportion."""

from __future__ import annotations

from offhook.policies.core.draft import Draft
from offhook.policies.core.events import WordsHeard
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import AgentSpeech, CallerSpeech, CallState, Playing, Standing, Utterance
from offhook.policies.evidence import concerns, cues
from offhook.policies.evidence.concerns import LIFECYCLE, Cause

POLICY = Policy.model_validate({"name": "test", "agents": {"none": {"code": "none:None"}}})


class Talk:
    """A call in which the caller speaks final segments and the agent answers concerns."""

    def __init__(self) -> None:
        self.state = CallState(call="c", turn=1)
        self.segment = 0

    def caller(self, text: str, *, final: bool = True) -> Talk:
        draft = self._next()
        cues.words_heard(draft, WordsHeard(draft.state.now_ms, self.segment, text, final, 0, draft.state.now_ms))
        self.segment += final
        self.state = draft.state
        return self

    def agent(self, topic: str, asks: Asks = Asks.NOTHING) -> Talk:
        draft = self._next()
        said = Utterance("u", "", Purpose.ANSWER, asks, True, "a", "g", topic, playing=Playing.ENDED, started_ms=1)
        draft.state.speech = AgentSpeech(None, said)
        draft.state.hearing = CallerSpeech(answering=asks)
        concerns.answered(draft, topic)
        self.state = draft.state
        return self

    def _next(self) -> Draft:
        draft = Draft(self.state, POLICY)
        draft.state.revision += 1
        draft.state.now_ms += 1_000
        return draft

    def standing(self, topic: str = "price") -> Standing | None:
        found = concerns.find(self.state, topic)
        return found.standing if found is not None else None


def test_the_table_reaches_every_standing_and_leaves_each() -> None:
    assert set(LIFECYCLE.values()) == set(Standing)
    assert {before for before, _ in LIFECYCLE} == {None, *Standing}


def test_open_softening_resolved_reopened() -> None:
    talk = Talk().caller("it's too expensive")
    assert talk.standing() is Standing.OPEN
    talk.agent("price").caller("okay, that makes sense")
    assert talk.standing() is Standing.SOFTENING
    talk.agent("price", Asks.YES_NO).caller("yes that works for me")
    assert talk.standing() is Standing.RESOLVED
    talk.caller("no, it's still too expensive")
    assert talk.standing() is Standing.REOPENED
    found = concerns.find(talk.state, "price")
    assert found is not None
    assert [move[1] for move in found.history] == [
        Standing.OPEN, Standing.SOFTENING, Standing.RESOLVED, Standing.REOPENED,
    ]  # fmt: skip


def test_an_unrelated_yes_eases_nothing() -> None:
    assert Talk().caller("it's too expensive").agent("timing").caller("yes").standing() is Standing.OPEN


def test_a_commitment_settles_what_was_answered() -> None:
    talk = Talk().caller("it's too expensive and i'm too busy right now").agent("price").caller("let's do it")
    assert talk.standing("price") is Standing.RESOLVED
    assert talk.standing("timing") is Standing.OPEN


def test_what_is_raised_in_the_same_breath_is_not_eased_by_it() -> None:
    talk = Talk().caller("it's too expensive").agent("price").caller("that helps but it is still too expensive")
    assert talk.standing() is Standing.OPEN


def test_partial_words_raise_but_do_not_ease() -> None:
    talk = Talk().caller("it's too expensive", final=False)
    assert talk.standing() is Standing.OPEN
    talk.caller("it's too expensive").agent("price", Asks.YES_NO).caller("yes i agree", final=False)
    assert talk.standing() is Standing.OPEN
    assert talk.caller("yes i agree").standing() is Standing.RESOLVED


def test_final_words_keep_the_history_of_the_partial() -> None:
    talk = Talk().caller("too expensive", final=False).caller("too expensive for us")
    found = concerns.find(talk.state, "price")
    assert found is not None
    assert len(found.history) == 1
    assert found.history[0][2] == talk.state.ledger.signals[-1].id


def test_answers_are_in_proportion() -> None:
    talk = Talk().caller("it's too expensive")

    def due() -> str:
        return concerns.answer_due(concerns.unsettled(talk.state)[0], POLICY.concerns.answers_max)

    assert due() == "full"
    talk.agent("price").caller("okay that makes sense")
    assert due() == "light"
    for _ in range(POLICY.concerns.answers_max):
        talk.agent("price")
    assert due() == "escalate"


def test_a_missing_row_moves_nothing() -> None:
    assert (Standing.RESOLVED, Cause.EASED) not in LIFECYCLE
    talk = Talk().caller("it's too expensive").agent("price", Asks.YES_NO).caller("yes").agent("price").caller("okay")
    assert talk.standing() is Standing.RESOLVED
