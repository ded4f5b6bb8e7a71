"""A live call is led by another policy: the offer, the moment, the trial, the way back; real sockets, virtual time."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.call import offer as offer_module
from offhook.actors.call import swap as swap_module
from offhook.actors.call.resume import fold, trimmed
from offhook.actors.contracts.messages import Failed, Gone, Invite, Play, Upgrade
from offhook.actors.contracts.node_messages import Offered, Swap
from offhook.actors.contracts.setup import Engines
from offhook.actors.ears import Ears
from offhook.policies.conversation import machine, silence
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import Ears as EarsPolicy
from offhook.policies.core.policy import Policy
from offhook.policies.core.policy import Voice as VoicePolicy
from offhook.policies.replay.replay import replay
from phone import SILENCE, mulaw, voice
from swapped_call import AgentLink, Run, SwappedCall, policy, runner

SHORT = "A word or two."
LONG = "This takes its time, far more than any test does. " * 10


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for module, limit in ((swap_module, "TRIAL_MS"), (offer_module, "REMEMBER_MS"), (offer_module, "READY_MS")):
        monkeypatch.setattr(module, limit, 60_000)  # no test waits for one that it does not set

    return runner(tmp_path, monkeypatch, 60)


def whole(bench: SwappedCall) -> None:
    found = replay(bench.records)
    assert found.same, str(found.divergence)
    assert [record[2] for record in bench.records] == list(range(1, len(bench.records) + 1))


def test_a_quiet_call_is_swapped_at_once_with_all_that_its_parts_go_by(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        latter = AgentLink()
        await bench.swap(latter, ears={"hangover_ms": 300}, voice={"ahead_ms": 200})
        await bench.swapped()
        call = bench.call
        assert call.setup.policy_version == "v2"
        assert call.policy is call.funnel.policy
        assert call.policy.voice.ahead_ms == call.voice.policy.ahead_ms == 200
        assert call.hearing._ears._activity._policy.hangover_ms == 300
        assert call.state.agents == ("closer",)
        assert not bench.former.of(Gone.NAME)  # it may still be needed
        bench.proved()
        assert await bench.answer() == ("v2", "")
        await bench.until(lambda: bench.former.of(Gone.NAME))
        assert not call.told(Swap("c1", 2, "v3", {}, {}, 0, "keep", ""))  # not this owner's
        (record,) = bench.of("policy")
        assert record["version"] == "v2" and record["policy"]["voice"] == {"ahead_ms": 200}
        kinds = [r[4] for r in bench.records]
        at = kinds.index("policy")
        assert kinds[at - 2 : at + 2] == ["snapshot", "place", "policy", "event"]
        assert (Offered.NAME, "c1", 1, "v2") in bench.sent
        whole(bench)

    run(test)


def test_an_utterance_is_heard_out_before_another_version_leads(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink(SHORT))
        await bench.until(lambda: bench.call.state.speech.current)
        latter = AgentLink("From here on it is me.")
        await bench.swap(latter)
        await bench.swapped()
        kinds = [record[5][0] if record[4] == "event" else record[4] for record in bench.records]
        assert kinds.index("PlaybackEnded") < kinds.index("policy")
        bench.caller_answers()
        await bench.until(lambda: len(bench.said()) > 1)
        assert bench.said() == [SHORT, "From here on it is me."]
        assert latter.of(Upgrade.NAME) == [[Upgrade.NAME, {}]]
        whole(bench)

    run(test)


def test_at_the_deadline_a_swap_is_forced_and_cuts_nothing(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink(LONG))
        await bench.until(lambda: bench.events("PlaybackStarted"))
        await bench.swap(AgentLink(), ms=30, then="force")
        await bench.swapped()
        current = bench.call.state.speech.current
        assert current is not None and current.playing == "playing"
        heard = len(bench.events("PlaybackReached"))
        await bench.until(lambda: len(bench.events("PlaybackReached")) > heard)
        assert not any(c[0] in ("CutSpeech", "HoldSpeech") for commands in bench.of("commands") for c in commands)
        bench.proved()
        assert await bench.answer() == ("v2", "")
        whole(bench)

    run(test)


def test_or_the_call_is_kept_as_it_is(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink(LONG))
        await bench.until(lambda: bench.events("PlaybackStarted"))
        latter = AgentLink()
        await bench.swap(latter, ms=30)
        version, why = await bench.answer()
        assert version == "v2" and why.startswith(swap_module.KEPT) and "utterance" in why
        await bench.until(lambda: latter.of(Gone.NAME))
        assert bench.call.state.policy_version == "v1"
        assert not bench.of("policy")

    run(test)


def test_what_the_former_agent_still_thinks_is_fenced(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink(None), arbitration={"fallback_line": "", "deadline_ms": 5_000})
        await bench.until(lambda: bench.former.of(Invite.NAME))
        latter = AgentLink("I am the latter.")
        await bench.swap(latter, ms=0, then="force", arbitration={"fallback_line": "", "deadline_ms": 5_000})
        await bench.swapped()
        bench.former.says = "I am the former."
        bench.former.answer(bench.former.of(Invite.NAME)[0])
        await bench.until(bench.said)
        bench.proved()
        assert await bench.answer() == ("v2", "")
        assert bench.said() == ["I am the latter."]  # the round was open: it was asked anew
        assert all(body[3] == 1 for body in bench.events("AgentAnswered"))
        whole(bench)

    run(test)


def test_a_memory_is_handed_on_as_of_the_last_answer(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        former = AgentLink(SHORT, memory={"asked": 1})
        await bench.begin(former)
        latter = AgentLink()
        tokens = bench.offer()
        await latter.join(bench.endpoint, tokens["closer"])
        await bench.until(lambda: bench.call.state.speech.current)
        former.memory = {"asked": 2}
        await bench.swapped()
        await bench.until(lambda: latter.of(Upgrade.NAME))
        assert latter.of(Upgrade.NAME) == [[Upgrade.NAME, {"asked": 2}]]

    run(test)


def test_a_memory_that_does_not_come_costs_the_memory(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer_module, "REMEMBER_MS", 20)

    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        bench.former.link.on_message = lambda _link, _message: None  # it hangs
        latter = AgentLink()
        await bench.swap(latter)
        await bench.swapped()
        await bench.until(lambda: latter.of(Upgrade.NAME))
        assert latter.of(Upgrade.NAME) == [[Upgrade.NAME, {}]]

    run(test)


@pytest.mark.parametrize(
    ("latter", "why"),
    [
        (AgentLink(fails=True), "agent closer fails: ValueError"),
        (AgentLink(None), "agent closer has not answered within 80 ms"),
        (None, "agent closer has not joined within 80 ms"),
    ],
)
def test_a_version_whose_agent_is_no_good_never_leads(
    run: Any, monkeypatch: pytest.MonkeyPatch, latter: AgentLink | None, why: str
) -> None:
    if "within" in why:
        monkeypatch.setattr(offer_module, "READY_MS", 80)

    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        tokens = bench.offer(ms=0, then="force")
        if latter is not None:
            await latter.join(bench.endpoint, tokens["closer"])
        assert await bench.answer() == ("v2", why)
        assert bench.call.state.policy_version == "v1"
        assert not bench.of("policy")
        assert not bench.former.of(Gone.NAME)

    run(test)


def test_an_offer_that_is_none_is_refused_with_the_reason(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        for more, why in (
            ({"voice": {"ahead_ms": 1}}, "voice.ahead_ms"),
            ({"then": "never"}, "'force' or 'keep'"),
        ):
            bench.sent.clear()
            bench.offer(**more)
            assert why in (await bench.answer())[1]
        bench.sent.clear()
        bench.offer("v1")
        assert await bench.answer() == ("v1", "")  # it leads already
        bench.sent.clear()
        bench.offer("v2")
        bench.offer("v3")
        assert "under way" in (await bench.answer())[1]

    run(test)


def _raise(*_: Any) -> None:
    raise RuntimeError("a bug that this policy brings to light")


def test_a_core_that_fails_under_the_new_policy_is_seen_before_it_leads(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        monkeypatch.setattr(machine.swap, "policy_changed", _raise)
        monkeypatch.setitem(machine.REDUCERS, machine.ev.PolicyChanged, (_raise,))
        bench.offer()
        assert await bench.answer() == ("v2", "the core fails under it: RuntimeError")

    run(test)


def test_a_core_that_fails_in_the_trial_brings_the_former_policy_back_and_no_event_is_lost(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink("I am the former."))
        await bench.until(lambda: bench.events("PlaybackEnded"))
        reducers = machine.REDUCERS[machine.ev.DigitPressed]

        def fails_late(draft: Any, event: Any) -> None:
            if draft.policy.voice.ahead_ms == 200:
                _raise()

        monkeypatch.setitem(machine.REDUCERS, machine.ev.DigitPressed, (fails_late, *reducers))
        latter = AgentLink("I am the latter.")
        await bench.swap(latter, voice={"ahead_ms": 200})
        await bench.swapped()
        bench.caller_answers()
        version, why = await bench.answer()
        assert version == "v2" and why.startswith("undone: the core fails under it, in DigitPressed")
        assert bench.call.state.policy_version == bench.call.setup.policy_version == "v1"
        assert bench.call.voice.policy == VoicePolicy()
        await bench.until(lambda: latter.of(Gone.NAME))
        await bench.until(lambda: bench.events("DigitPressed"))
        assert [body["version"] for body in bench.of("policy")] == ["v2", "v1"]
        assert len(bench.of("fault")) == 1
        await bench.until(lambda: len(bench.said()) == 2)  # the key is answered, by the former agent
        assert bench.said() == ["I am the former."] * 2
        whole(bench)

    run(test)


def test_an_agent_that_fails_in_the_trial_brings_the_former_one_back(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        latter = AgentLink()
        await bench.swap(latter)
        await bench.swapped()
        latter.link.send(Failed.NAME, 1, 1, "KeyError")
        assert await bench.answer() == ("v2", "undone: agent closer fails: KeyError")
        assert bench.call.state.agents == ("closer",)
        bench.former.says = "Here I am again."
        bench.caller_answers()
        await bench.until(bench.said)
        assert bench.said() == ["Here I am again."]
        whole(bench)

    run(test)


def test_a_former_agent_that_comes_back_during_the_trial_is_there_for_the_way_back(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        latter = AgentLink()
        tokens = dict(bench.call.setup.agent_tokens)
        await bench.swap(latter)
        await bench.swapped()
        trial = bench.call.swap._trial
        assert trial is not None
        first = trial.aside["closer"][0]
        bench.former.link.abort("its link broke")
        await AgentLink("Still the former.").join(bench.endpoint, tokens["closer"])
        await bench.until(lambda: trial.aside.get("closer", (first,))[0] is not first)
        latter.link.abort("its host died")
        version, why = await bench.answer()
        assert version == "v2" and why.startswith("undone: agent closer fails")
        bench.caller_answers()
        await bench.until(bench.said)
        assert bench.said() == ["Still the former."]

    run(test)


def test_a_call_that_ends_in_the_trial_was_led_by_the_new_version(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        await bench.swap(AgentLink())
        await bench.swapped()
        bench.phone.hang_up()
        assert await bench.answer() == ("v2", "")
        await bench.over
        await bench.until(lambda: bench.former.of(Gone.NAME))
        whole(bench)

    run(test)


def test_a_call_that_ends_before_its_moment_is_kept(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        bench.offer()
        bench.phone.hang_up()
        assert (await bench.answer())[1].startswith(swap_module.KEPT)
        await bench.over

    run(test)


def test_whoever_takes_over_goes_on_with_the_policy_of_each_moment(run: Any) -> None:
    """At every record of the journal at which the process may die, from every snapshot that may be the newest."""

    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink("Hello."))
        await bench.until(lambda: bench.events("PlaybackEnded"))
        await bench.swap(AgentLink("Hello, I am the latter."), silence={"hesitating_after_ms": 9_000})
        await bench.swapped()
        bench.caller_answers()
        await bench.until(lambda: len(bench.said()) == 2)
        led = [
            (record[2], record[5]["version"], record[5]["policy"]) for record in bench.records if record[4] == "policy"
        ]
        for died in range(2, len(bench.records) + 1):
            records = bench.records[:died]
            snapshots = [n for n, record in enumerate(records) if record[4] == "snapshot"]
            tail = [trimmed(record) for record in records[snapshots[-1] if snapshots else 0 :]]
            version, plain = "v1", policy()
            for seq, name, body in led:
                if seq <= records[-1][2]:
                    version, plain = name, body
            legacy = fold(tail, Policy.model_validate(plain))  # the supervisor knows the version by the last record
            expected = replay(records)
            assert expected.same
            assert encode(legacy.state) == encode(expected.state), f"died after record {died}"
            if legacy.state.policy_version == "v2":
                assert version == "v2"
                assert legacy.policy.silence.hesitating_after_ms == 9_000

    run(test)


def test_the_room_of_the_present_silence_is_the_new_policys(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink("Hello."))
        await bench.until(lambda: bench.events("PlaybackEnded"))
        before = bench.call.state.timers[silence.TIMER]
        await bench.swap(AgentLink(), silence={"hesitating_after_ms": 29_000})
        await bench.swapped()
        assert bench.call.state.timers[silence.TIMER] > before + 10_000
        assert bench.call.timers

    run(test)


def recordings(folder: Path, level: int) -> str:
    """A folder with one recording for all texts: a second of one level."""
    folder.mkdir()
    with wave.open(str(folder / "default.wav"), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(8_000)
        clip.writeframes(level.to_bytes(2, "little") * 8_000)
    return str(folder)


@pytest.mark.parametrize("undone", [False, True])
def test_a_version_speaks_with_its_own_recordings(run: Any, tmp_path: Path, undone: bool) -> None:
    former, latter = recordings(tmp_path / "former", 20_000), recordings(tmp_path / "latter", 500)

    async def test(bench: SwappedCall) -> None:
        await bench.begin(engines=Engines(synthesizer="clip", clips=former))
        agent = AgentLink()
        bench.offer(clips=str(tmp_path / "none"))
        assert "EngineAway" in (await bench.answer())[1]
        bench.sent.clear()
        await bench.swap(agent, clips=latter)
        await bench.swapped()
        assert bench.call.setup.engines.clips == latter
        if undone:
            agent.link.send(Failed.NAME, 1, 1, "KeyError")
            assert (await bench.answer())[1].startswith("undone")
        (bench.former if undone else agent).says = "A word."
        bench.caller_answers()
        await bench.phone.have(Play.NAME)
        played = next(fields[-1] for _, name, fields in bench.phone.events if name == Play.NAME)
        assert played[0] == mulaw(20_000 if undone else 500)

    run(test)


@pytest.mark.parametrize("detector", ["webrtc", "confirmed"])
@pytest.mark.parametrize("then", ["webrtc", "confirmed"])
def test_ears_under_other_thresholds_go_on_with_the_talkspurt_that_they_were_in(detector: Any, then: Any) -> None:
    frames = [SILENCE] * 40 + voice(60) + [SILENCE] * 60
    swapped = Ears(EarsPolicy(detector=detector, hangover_ms=160))
    events: list[ev.Event] = []
    for number, frame in enumerate(frames):
        if number == 70:  # inside of the speech
            swapped.lead_by(EarsPolicy(detector=then, hangover_ms=500))
        events += swapped.feed(frame, (number + 1) * 20)
    (started,) = [event for event in events if isinstance(event, ev.SpeechStarted)]
    (ended,) = [event for event in events if isinstance(event, ev.SpeechEnded)]
    assert ended.onset_ms == started.onset_ms
    assert 480 <= ended.at_ms - ended.ended_ms <= 520
