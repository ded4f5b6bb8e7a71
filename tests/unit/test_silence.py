"""Silence: the ladder by what came before, absolute deadlines, what resets it and what does not."""

from __future__ import annotations

import pytest
from offhook.policies.conversation import silence
from offhook.policies.core import events as ev
from offhook.policies.core.commands import HangUp, InviteAgents, Say
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.policies.core.state import Stage
from scene import Scene, of, policy

QUESTION = {"purpose": Purpose.QUESTION, "asks": Asks.OPEN}
OFFER = {"purpose": Purpose.OFFER, "asks": Asks.YES_NO}


def heard_out(text: str = "What brings you to us?", **fields: object) -> Scene:
    """The agent has said something and was heard to its end; nobody has spoken since."""
    found = Scene(policy(silence={"rung_gap_ms": 6_000})).answered("booking")
    utterance = found.agent_says(text, **{**QUESTION, **fields})
    found.passes(1_500)
    found.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    return found


def finish(found: Scene, say: Say) -> None:
    """The core's own line is spoken and heard."""
    found.passes(20)
    found.happens(ev.PlaybackStarted, utterance=say.utterance)
    found.passes(1_200)
    found.happens(ev.PlaybackEnded, utterance=say.utterance, confirmed=True)


def noise(found: Scene, ms: int = 150) -> None:
    found.speech_starts()
    found.passes(ms - 60)
    found.speech_ends()


def until_said(found: Scene, within_ms: int = 60_000) -> Say:
    """Let time pass until the core says something."""
    for _ in range(within_ms // 50):
        said = of(found.passes(50), Say)
        if said:
            return said[0]
    raise AssertionError(f"nothing was said within {within_ms} ms")


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", sorted(silence.LADDER))
def test_every_ladder_leaves_room_first_and_ends_the_call_last(after: str) -> None:
    rungs = silence.LADDER[after]
    assert rungs[0].act == "room" and rungs[-1].act == "close"
    assert sum(rung.act == "close" for rung in rungs) == 1
    moods = [rung.mood for rung in rungs]
    assert moods == sorted(moods, key=["thinking", "hesitating", "absent"].index), "moods only get worse"
    assert all(rung.line in policy().silence.lines for rung in rungs if rung.act in ("say", "close"))


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        (OFFER, "offer"),
        (QUESTION, "question"),
        ({"purpose": Purpose.CONFIRMATION, "asks": Asks.YES_NO}, "confirmation"),
        ({"purpose": Purpose.ANSWER, "asks": Asks.NOTHING}, "statement"),
        ({"purpose": Purpose.ANSWER, "asks": Asks.OPEN}, "question"),
    ],
)
def test_a_silence_is_read_by_what_came_before_it(fields: dict[str, object], after: str) -> None:
    found = heard_out(**fields)
    assert found.state.silence.after == after and found.state.silence.mood == "thinking"


# --- deadlines ------------------------------------------------------------------------------------------------------


def test_the_silence_counts_from_the_end_of_playback() -> None:
    found = heard_out()
    room_ms = round(found.policy.silence.hesitating_after_ms * 0.8)  # the opening shortens it
    assert found.state.stage is Stage.OPENING
    assert found.timers["silence"] == found.now_ms + room_ms
    said = of(found.passes(room_ms), Say)
    assert [say.text for say in said] == [found.policy.silence.lines["clarify"]]
    assert found.state.silence.mood == "hesitating"


def test_an_offer_gets_more_room_than_a_question() -> None:
    assert heard_out(**OFFER).timers["silence"] > heard_out().timers["silence"]


def test_a_slow_caller_gets_more_room() -> None:
    from offhook.policies.core.draft import Draft
    from offhook.policies.core.state import Cadence

    found = heard_out()
    draft = Draft(found.state, found.policy)
    usual = silence.room_ms(draft, "question")
    draft.state.cadence = Cadence(10, 900.0, 400.0)
    assert usual < silence.room_ms(draft, "question") <= usual * 1.5
    assert silence.room_ms(draft, "wait") == found.policy.silence.room_after_wait_ms


def test_the_ladder_goes_on_after_its_own_lines_and_ends_the_call() -> None:
    found = heard_out()
    lines = found.policy.silence.lines
    texts, begun = [], found.now_ms
    while found.state.line == "open" and len(texts) < 9:
        say = until_said(found)
        texts.append(say.text)
        finish(found, say)
        if found.state.outcome:
            break
    assert texts == [lines["clarify"], lines["reengage"], lines["help"], lines["close"]]
    assert of(found.commands, HangUp) and found.state.outcome == "silence"
    assert found.now_ms - begun < 40_000


def test_noise_neither_ends_the_silence_nor_moves_its_deadlines() -> None:
    quiet, noisy = heard_out(), heard_out()
    deadline_ms = quiet.timers["silence"]
    for _ in range(2):
        noisy.passes(300)
        noise(noisy)
    assert noisy.state.silence.since_ms == quiet.state.silence.since_ms
    noisy.passes(deadline_ms - noisy.now_ms + 1_000)
    quiet.passes(deadline_ms - quiet.now_ms + 1_000)
    at_ms = [found.state.speech.current and found.state.speech.current.sent_ms for found in (quiet, noisy)]
    assert at_ms[0] == deadline_ms and at_ms[1] is not None and at_ms[1] - deadline_ms < 900


def test_endless_noise_does_not_keep_a_call_alive() -> None:
    found = heard_out()
    found.passes(500)
    found.speech_starts()
    asked = found.passes(60_000)
    assert of(asked, HangUp) and found.state.outcome == "silence"


def test_words_end_the_silence_however_far_it_went() -> None:
    found = heard_out()
    for _ in range(2):
        finish(found, until_said(found))
    assert found.state.silence.mood == "absent"
    found.speech_starts()
    found.passes(500)
    found.words("yes I'm here")
    assert found.state.silence.since_ms == 0 and "silence" not in found.timers


def test_a_late_final_reading_of_answered_words_does_not_end_it() -> None:
    found = heard_out()
    found.speech_starts()
    found.passes(500)
    found.words("yes please", final=False, segment=9)
    found.speech_ends()
    found.passes(300)
    assert found.state.round is not None, "the turn was declared over"
    armed = found.timers.get("silence")
    found.words("Yes, please.", segment=9)
    assert armed is not None and found.timers.get("silence") == armed


# --- waiting --------------------------------------------------------------------------------------------------------


def test_a_request_to_wait_is_granted_room_even_after_the_agents_reply() -> None:
    found = heard_out()
    found.passes(300)
    found.speech_starts()
    found.passes(600)
    found.words("hold on a second")
    found.speech_ends()
    found.passes(3_000)
    assert found.state.silence.after == "wait"
    current = found.state.speech.current
    if current is not None:  # the fallback line answers
        finish(found, Say(current.id, current.text, current.purpose, True, current.grant))
    assert found.state.silence.after == "wait"
    assert found.timers["silence"] - found.state.silence.since_ms >= found.policy.silence.room_after_wait_ms


def test_a_statement_that_leads_nowhere_asks_the_agents_again() -> None:
    found = heard_out(purpose=Purpose.ANSWER, asks=Asks.NOTHING)
    invited = of(found.passes(4_000), InviteAgents)
    assert [command.reason for command in invited] == ["silence"]


def test_the_ladder_stands_still_while_a_tool_is_at_work_and_is_resumed() -> None:
    found = heard_out()
    proposal = Proposal("t", "booking", Kind.TOOL, found.state.turn, found.state.revision, action="calendar")
    found.happens(
        ev.AgentAnswered,
        agent="booking",
        turn=found.state.turn,
        basis=found.state.revision,
        proposals=(proposal,),
    )
    (grant,) = found.state.authority.grants
    assert not of(found.passes(12_000), Say), "nobody is asked whether they are still there while the call works"
    assert found.state.silence.suspended_ms
    found.happens(ev.ActionFinished, grant=grant.id, ok=True, result="free")
    assert found.state.silence.suspended_ms == 0
    assert found.timers["silence"] == found.now_ms + found.policy.silence.hesitating_after_ms


def test_a_hold_keeps_the_ladder_still() -> None:
    found = heard_out()
    proposal = Proposal(
        "h", "booking", Kind.TIMER, found.state.turn, found.state.revision, action="hold",
        arguments=(("after_ms", "20000"),),
    )  # fmt: skip
    found.happens(
        ev.AgentAnswered, agent="booking", turn=found.state.turn, basis=found.state.revision, proposals=(proposal,)
    )
    assert "round.hold" in found.timers
    asked = found.passes(19_900)
    assert not of(asked, Say) and not of(asked, InviteAgents)
    assert [command.reason for command in of(found.passes(200), InviteAgents)] == ["hold"]
    assert until_said(found, 20_000), "the ladder goes on when the hold is over"


def hold(found: Scene, after_ms: int, say: str = "") -> None:
    """The agent asks for a hold, and says something on the way."""
    turn, basis = found.state.turn, found.state.revision
    wanted = [Proposal(f"h{found.now_ms}", "booking", Kind.TIMER, turn, basis, action="hold",
                       arguments=(("after_ms", str(after_ms)),))]  # fmt: skip
    if say:
        wanted.append(Proposal(f"s{found.now_ms}", "booking", Kind.SAY, turn, basis, text=say))
    found.happens(ev.AgentAnswered, agent="booking", turn=turn, basis=basis, proposals=tuple(wanted))


@pytest.mark.parametrize("say", ["", "Still"])
def test_holds_one_after_the_other_keep_no_ladder_still_for_ever(say: str) -> None:
    """An agent asks for one more hold whenever one is over, each a little longer; or says so in between."""
    found = heard_out()
    after_ms = 10_000
    for _ in range(3_000):
        if of(found.commands, HangUp):
            break
        if "round.hold" not in found.timers and found.state.speech.current is None:
            after_ms += 100
            hold(found, after_ms, say and f"{say} {after_ms}")
        current = found.state.speech.current
        if current is not None and current.playing == "sent":
            finish(found, Say(current.id, current.text, current.purpose, True, current.grant))
        found.passes(100)
    assert of(found.commands, HangUp) and found.now_ms < found.policy.silence.hold_ms + 90_000
    assert bool(say) is any(said.text.startswith("Still") for said in of(found.commands, Say))


def test_one_hold_without_end_is_over_at_the_limit() -> None:
    found = heard_out()
    hold(found, 86_000_000)
    assert not of(found.passes(found.policy.silence.hold_ms), Say)
    assert until_said(found, 20_000)
