"""Presence: is somebody there to talk to? A recording, music, a menu or a television costs minutes and buys nothing.

How a line without a person is read, what is done about it, and how it ends:

| reading | seen by | meanwhile | limit | outcome |
|---|---|---|---|---|
| announcement | phrases of recordings; the same words again and again | it is not talked to | `hold` | on_hold |
| music | long sound with hardly a word; or none, after a request to wait | it is not talked to | `hold` | on_hold |
| menu | orders to press keys | it is not talked to | `menu` | menu |
| television | talk that is hardly ever silent while the agent speaks | the call goes on | `talk` | nobody_there |

New words that are not the recording's are a person's, and the call goes on with them; a key is one at any time. Whoever
talks and never listens is asked once whether they are there (`check`), and hung up on only where that is talked over
too. At a limit the policy's line is said, if there is a floor to say it on; a grace later the call ends in any case.

Belongs here: the readings and their limits. What a recording's words are is the language's matter; silence is
`silence.py`'s, sound over the agent `barge_in.py`'s, who picked up an outbound call `amd.py`'s.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import DigitPressed, SpeechEnded, SpeechStarted, TimerFired
from ..core.parts import replace
from ..core.proposals import CORE, Answer, Asks, Kind, Proposal, Purpose
from ..core.state import CallState, Holder, Line, Presence, Sign
from ..core.topics import Topic
from ..evidence import cues
from ..gate import arbitration
from ..language.port import registry
from ..language.port.port import Language, Recording
from ..speech import speaking, turns
from . import silence

WATCH = "presence.watch"  # while there is sound: what is it?
LIMIT = "presence.limit"
QUIET = "presence.quiet"  # on hold, and nothing is heard any more
HARD_END = "limits.absent"  # limits': the call ends then, whatever became of the hang-up

ANNOUNCEMENT, MUSIC, MENU, TELEVISION = "announcement", "music", "menu", "television"
OUTCOMES = {ANNOUNCEMENT: "on_hold", MUSIC: "on_hold", MENU: "menu", TELEVISION: "nobody_there"}
_OF_RECORDING = {Recording.ANNOUNCEMENT: ANNOUNCEMENT, Recording.MENU: MENU}

_AGAIN = 4  # turns in a row without a new word: a person repeats something two or three times
_KEPT_WORDS_MIN = 5  # of a turn that is remembered, and that can repeat another; fewer are alike by chance
_KEPT_TURNS, _KEPT_LETTERS = 12, 400
_SAME = 6  # ... with the same words each time, whether or not the agent had just spoken
_UNPROMPTED_MS = 3_000  # after the agent: a person answers sooner, a recording comes when it comes
_LONG_MS = 2_000  # talkspurts whose words are looked for: a person says four words in that time
_SPARSE_PER_S = 0.5  # words: a slow speaker says twice as many
_DENSE_PER_S = 0.8  # ... from which a turn is a person's
_PERSONS_SURE = 2  # turns of a person in a row, after which what was before is forgotten
_BACK_MS = 10_000  # at least so long is a reading borne that comes back after a word that seemed a person's
_LOOK_BACK = 16  # signals, for the caller's last word
_YES_WORDS_MAX = 8  # of an answer to the question whether somebody is there


# --- events ---------------------------------------------------------------------------------------------------------


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """Sound begins: it is looked at after a while. A silence before it, while the agent spoke, was listening."""
    state, limits = draft.state, draft.policy.presence
    if WATCH not in draft.timers:
        draft.arm(WATCH, event.at_ms + limits.watch_ms)
    now, ended_ms = state.presence, state.hearing.ended_ms
    if not now.talking_since_ms:
        state.presence = replace(now, talking_since_ms=max(1, event.onset_ms))
    elif event.onset_ms - ended_ms >= limits.listen_ms and _agent_heard_since(state, ended_ms):
        state.presence = replace(now, listened_ms=now.listened_ms + event.onset_ms - ended_ms)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A long talkspurt: its words are due by the end of the turn."""
    if event.voiced_ms >= _LONG_MS:
        now = draft.state.presence
        draft.state.presence = replace(now, sound_ms=now.sound_ms + event.voiced_ms)


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """No recording presses a key."""
    if draft.state.presence.reading:
        turns.forget_words(draft, until_ms=event.at_ms)
    _person(draft, sure=True)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """Time to look at a sound that goes on; or a reading has lasted as long as it may."""
    state = draft.state
    if state.line is Line.CLOSED or state.outcome:
        return
    if event.timer == WATCH:
        _look(draft)
    elif event.timer == QUIET:
        _quiet(draft)
    elif state.line is Line.OPEN:
        _at_the_limit(draft)
    else:
        draft.arm(LIMIT, event.at_ms + draft.policy.presence.check_ms)  # a lost line has a limit of its own


# --- for other files ------------------------------------------------------------------------------------------------


def turn_over(draft: Draft) -> bool:
    """A turn of the far end is over: True where no answer is due, because a recording spoke."""
    state, language = draft.state, registry.of(draft.policy)
    now, hearing = state.presence, state.hearing
    text = _said(state, hearing.onset_ms if now.reading == MUSIC else hearing.turn_started_ms)
    words = turns.plain(text).split()
    dense = _dense(words, now.sound_ms) or _dense(_said(state, hearing.onset_ms).split(), hearing.voiced_ms)
    known = language.piece(words, now.heard)
    again = _again(state, known and len(words) >= _KEPT_WORDS_MIN)
    same = now.same + 1 if len(words) >= _KEPT_WORDS_MIN and language.piece(words, now.heard[-1:]) else 0
    reading = _reading(language, replace(now, again=again, same=same), text, dense, known)
    if not reading and not now.recorded and _is_music(state, words, draft.policy.presence.music_after_ms):
        reading = MUSIC
    kept = now.heard
    if len(words) >= _KEPT_WORDS_MIN and not known:
        kept = (*kept, " ".join(words)[:_KEPT_LETTERS])[-_KEPT_TURNS:]
    state.presence = replace(
        now,
        heard=kept,
        again=again,
        same=same,
        sound_ms=0,
        sparse_ms=0 if dense else now.sparse_ms + now.sound_ms,
        sparse_words=0 if dense else now.sparse_words + len(words),
    )
    if reading and not state.end_of_turn.why.endswith("after key"):
        _enter(draft, reading)
        _disregard(draft)
        if HARD_END in draft.timers:
            _part(draft)  # the time is over, and now there is a floor to say so on
        return True
    if now.recorded or (now.since_ms and not now.reading and dense):
        turns.forget_words(draft, until_ms=hearing.turn_started_ms)  # what the recording said is answered by nobody
        _person(draft, sure=language.asks(text) or bool(language.live(text)))
    elif now.checked and (now.listened_ms or (len(words) <= _YES_WORDS_MAX and "yes" in words[:2])):
        _person(draft, sure=True)
    elif HARD_END in draft.timers:
        _part(draft)
        return True
    elif now.checked_ms and not now.checked:
        return _check(draft)
    return False


# --- reading --------------------------------------------------------------------------------------------------------


def _said(state: CallState, since_ms: int) -> str:
    """The words since a moment; what was said in turns before this one may still be waiting for an answer."""
    return " ".join(part.text for part in state.hearing.segments if part.text and part.ended_ms > since_ms)


def _dense(words: list[str], sound_ms: int) -> bool:
    return bool(words) and 1_000 * len(words) >= _DENSE_PER_S * sound_ms


def _reading(language: Language, now: Presence, text: str, dense: bool, known: bool) -> str:
    """Which recording spoke in the turn that is over; empty = none that is known by its words."""
    found = _OF_RECORDING.get(language.recording(text), "")
    if found:
        return found
    if now.recorded:
        answered = language.live(text) or language.asks(text)
        return now.reading if not dense or (known and not answered) else ""
    return ANNOUNCEMENT if now.again >= _AGAIN or now.same >= _SAME else ""


def _again(state: CallState, repeats: bool) -> int:
    """Turns so far that said nothing new, and that nobody had asked for: a person repeats what was not understood."""
    again, last = state.presence.again, state.speech.last
    if not repeats:
        return 0
    since_ms = state.hearing.turn_started_ms - last.ended_ms if last is not None else _UNPROMPTED_MS
    if since_ms < 0:
        return again  # over the agent: people do that too
    asked = (
        last is not None and last.purpose is not Purpose.REASSURANCE
    )  # the ladder's lines ask for nothing said again
    return max(0, again - 1) if asked and since_ms < _UNPROMPTED_MS else again + 1


def _is_music(state: CallState, words: list[str], after_ms: int) -> bool:
    """Much sound and hardly a word in it; without any word it is noise, unless the caller went away for a moment."""
    now, hearing = state.presence, state.hearing
    going_on_ms = hearing.voiced_ms if hearing.speaking and hearing.voiced_ms >= _LONG_MS else 0
    sound_ms, said = now.sparse_ms + now.sound_ms + going_on_ms, now.sparse_words + len(words)
    if "recognizer" in state.lost_parts or sound_ms < after_ms or said * 1_000 >= _SPARSE_PER_S * sound_ms:
        return False
    return bool(said) or bool(now.since_ms) or _asked_to_wait(state)


def _asked_to_wait(state: CallState) -> bool:
    """True where the last thing that the caller's words said is a request to wait."""
    for signal in reversed(state.ledger.signals[-_LOOK_BACK:]):
        if signal.source == "words" and signal.sign is not Sign.RETRACTION:
            return signal.sign is Sign.WAIT
    return False


def _look(draft: Draft) -> None:
    """Sound goes on. A recording may never leave a pause, and a television leaves none for an answer."""
    state, limits = draft.state, draft.policy.presence
    now, text = state.presence, _said(state, state.hearing.turn_started_ms)
    if not state.hearing.speaking and state.floor.holder not in (Holder.CALLER, Holder.BOTH):
        return  # the next talkspurt is looked at again
    draft.arm(WATCH, state.now_ms + limits.watch_ms)
    undecided = state.answering.armed and state.answering.decided != "human"
    if undecided or now.recorded or state.line is not Line.OPEN:
        return
    found = _OF_RECORDING.get(registry.of(draft.policy).recording(text), "")
    if found or _is_music(state, turns.plain(text).split(), limits.music_after_ms):
        _enter(draft, found or MUSIC)
        return
    talked_ms = state.now_ms - now.talking_since_ms
    if now.reading or not now.talking_since_ms or talked_ms < limits.talk_ms:
        return
    if now.listened_ms < limits.listens_share * talked_ms:
        _enter(draft, TELEVISION)
    else:
        state.presence = replace(now, talking_since_ms=state.now_ms, listened_ms=0)


# --- what follows ---------------------------------------------------------------------------------------------------


def _enter(draft: Draft, reading: str) -> None:
    state = draft.state
    now = state.presence
    if now.reading == reading or (OUTCOMES.get(now.reading) == "on_hold" and reading != TELEVISION):
        state.presence = replace(now, persons=0)
        draft.arm(QUIET, state.now_ms + draft.policy.presence.quiet_ms)
        return
    began_ms = now.talking_since_ms if reading == TELEVISION else state.hearing.turn_started_ms
    since_ms = now.since_ms or max(1, began_ms)
    now = state.presence = replace(now, reading=reading, since_ms=since_ms, persons=0, checked_ms=0, checked=False)
    draft.publish(Topic.PRESENCE, what="reading", reading=reading, since_ms=since_ms)
    limits = draft.policy.presence
    limit_ms = {MENU: limits.menu_ms, TELEVISION: limits.talk_ms}.get(reading, limits.hold_ms)
    soonest_ms = state.now_ms + (_BACK_MS if now.recorded else 0)
    draft.arm(LIMIT, max(soonest_ms, since_ms + limit_ms))
    if now.recorded:
        draft.arm(QUIET, state.now_ms + limits.quiet_ms)
        turns.drop_round(draft)
        silence.end(draft)
        _hush(draft)


def _disregard(draft: Draft) -> None:
    """Nothing rests on what a recording says."""
    hearing = draft.state.hearing
    cues.disregard(draft, [part.id for part in hearing.segments if part.ended_ms > hearing.turn_started_ms])


def _quiet(draft: Draft) -> None:
    """On hold, and nothing is heard any more: whoever may have come is asked for, as in any silence."""
    state = draft.state
    if not state.presence.recorded:
        return
    heard_ms = state.now_ms if state.hearing.speaking else state.hearing.ended_ms
    quiet_until_ms = heard_ms + draft.policy.presence.quiet_ms
    if quiet_until_ms > state.now_ms:
        draft.arm(QUIET, quiet_until_ms)
        return
    _person(draft, "quiet")
    silence.begin(draft, "interruption")


def _hush(draft: Draft) -> None:
    """Nothing is said to a recording; what was begun is given up."""
    current = draft.state.speech.current
    if current is not None and current.interruptible:
        draft.state.overlap = None
        draft.disarm("overlap")
        speaking.cut(draft, "a recording")


def _person(draft: Draft, what: str = "person", *, sure: bool = False) -> None:
    """Somebody is there. One turn may be a piece of a recording that was not heard before: two are none."""
    state = draft.state
    now = state.presence
    if not now.reading and not now.since_ms:
        return
    persons = now.persons + 1
    sure = sure or persons >= _PERSONS_SURE
    if now.reading:
        draft.publish(Topic.PRESENCE, what=what, reading="", since_ms=state.now_ms)
    state.presence = Presence(
        since_ms=0 if sure else now.since_ms,
        heard=now.heard,
        persons=persons,
        talking_since_ms=max(1, state.now_ms),
    )
    draft.disarm(LIMIT)
    draft.disarm(HARD_END)


def _at_the_limit(draft: Draft) -> None:
    state, limits = draft.state, draft.policy.presence
    now = state.presence
    if now.reading == TELEVISION and not now.checked_ms and limits.lines.get("check"):
        state.presence = replace(now, checked_ms=state.now_ms)
        draft.arm(LIMIT, state.now_ms + limits.check_ms)
        if state.floor.holder is Holder.NOBODY and not state.hearing.speaking:
            _check(draft)  # otherwise at the end of the turn, if there is one
    elif now.checked and _listened(state, limits.listen_ms):
        _person(draft, sure=True)
    elif now.reading:
        _close(draft)


def _check(draft: Draft) -> bool:
    """Ask whether somebody is there; True where that is being said."""
    state, limits = draft.state, draft.policy.presence
    verdict = arbitration.offer(draft, _proposal(draft, Kind.SAY, limits.lines["check"]))
    if verdict.answer is not Answer.GRANT:
        return False
    state.presence = replace(state.presence, checked=True, listened_ms=0)
    draft.arm(LIMIT, state.now_ms + limits.check_ms)
    return True


def _listened(state: CallState, listen_ms: int) -> bool:
    """Since the question whether somebody is there was asked: whoever heard it fell silent for it."""
    quiet_ms = 0 if state.hearing.speaking else state.now_ms - state.hearing.ended_ms
    return state.presence.listened_ms > 0 or quiet_ms >= listen_ms


def _close(draft: Draft) -> None:
    """Nobody came: a line as soon as there is a floor to say it on, the end after the grace in any case."""
    state = draft.state
    draft.arm(HARD_END, state.now_ms + draft.policy.limits.grace_ms)
    turns.drop_round(draft)
    if state.floor.holder is Holder.NOBODY and not state.hearing.speaking:
        _part(draft)


def _part(draft: Draft) -> None:
    line = draft.policy.presence.lines.get(OUTCOMES[draft.state.presence.reading], "")
    arbitration.offer(draft, _proposal(draft, Kind.HANGUP, line))


def _proposal(draft: Draft, kind: Kind, text: str) -> Proposal:
    state = draft.state
    ends = kind is Kind.HANGUP
    return Proposal(
        id=f"core-presence-{state.revision}",
        agent=CORE,
        kind=kind,
        turn=state.turn,
        basis=state.revision,
        text=text,
        purpose=Purpose.GOODBYE if ends else Purpose.NOTICE,
        asks=Asks.NOTHING if ends else Asks.YES_NO,
        action=OUTCOMES[state.presence.reading] if ends else "",
        interruptible=ends,  # a person who comes at the last moment is heard
        priority=1.0,
        reason=f"{state.presence.reading} for {state.now_ms - state.presence.since_ms} ms",
    )


def _agent_heard_since(state: CallState, moment_ms: int) -> bool:
    current, last = state.speech.current, state.speech.last
    if current is not None and current.started_ms:
        return True
    return last is not None and last.started_ms > 0 and last.ended_ms > moment_ms
