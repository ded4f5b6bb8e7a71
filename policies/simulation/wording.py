"""How a meaning is put into words: small grammars, drawn by chance, so that no two thousand callers say the same.

    worded(chance, Meant.CONDITION, "tuesday at 3")   ->  "sure, as long as my partner can come"

"<name>" stands for one of the alternatives of that name, "<value>" for what was read back. Every alternative of a
meaning has that meaning alone: whoever adds one adds nothing that could be taken otherwise by a person.
"""

from __future__ import annotations

import random
import re
from functools import cache

from .meaning import Meant

_SLOT = re.compile(r"<([a-z ]+)>")

_GRAMMAR: dict[str, str] = {
    # --- a yes, and nothing else ---
    "yes": """
        <affirm> / <affirm> / <affirm> <polite> / <agree> / <agree> <polite> / <affirm>, <agree> / um, <affirm>
        / <affirm>, <value> / <affirm>, <affirm> / <affirm>, <agree>, <polite> / well, <affirm>
    """,
    "short yes": "yes / yeah / yep / right / correct",
    "affirm": "yes / yeah / yep / sure / correct / exactly / absolutely / definitely / of course / yes yes",
    "agree": """
        that's right / that works for me / that works / that is correct / sounds good / that's perfect / that's fine
        / please do / go ahead / that would be great / book it please / perfect / that suits me
    """,
    "polite": "please / thank you / thanks / thanks a lot",
    # --- a yes with something left over ---
    "condition": """
        <affirm> <if> <case> / <affirm>, <if> <case> / <agree>, <if> <case> / <agree> <if> <case>
        / <if> <case>, <affirm> / <affirm>, but <if> <case> / <affirm>, but <other> / <affirm>, <doubt> / <doubt>
        / <agree>, <doubt> / well <affirm>, let me <check> first / <affirm>, I will have to <check> / <irony>
        / <affirm> <value>, <if> <case> / <affirm>, I'd have to <check> first / <value>, <if> <case>
    """,
    "if": """
        if / only if / as long as / provided / assuming / so long as / on condition that / unless / once / but only when
        / in case / provided that / except if
    """,
    "case": """
        my <person> agrees / it is free / my <person> has no objections / nothing comes up / I get the afternoon off
        / there is no contract / my <person> is back by then / it takes less than an hour / the price stays that way
        / you can promise that / I can bring my <person>
    """,
    "person": "wife / husband / boss / partner / colleague / accountant / business partner / daughter",
    "other": "not in the morning / I am not sure / I might be away / it depends / my <person> decides that",
    "doubt": """
        maybe / perhaps / I guess / I think so / probably / I suppose / we will see / more or less / I am not sure
        / right now I cannot say / I'll think about it / it depends / if you say so / hard to say / possibly / kind of
    """,
    "check": "ask my <person> / check with my <person> / look at my calendar / talk to my <person> / think about it",
    "irony": """
        yeah right / exactly the opposite / right, as in wrong / in your dreams / very funny / quite the contrary
        / as if / sure, when pigs fly
    """,
    # --- no ---
    "no": """
        no / no thanks / no, not really / no, that's wrong / no, I don't want that / that's not right / nope
        / please don't / I'd rather not / no, forget it / no, that is not what I said
    """,
    "wait": "no wait / wait / stop / wait a moment / hold on / hold on a second / stop, wait / no, hold on / wait wait",
    "at once": "stop / wait / wait",
    "take back": """
        no wait, don't do that / no, don't book that / stop, don't book it / no, cancel that / wait, no
        / no no, I changed my mind / no, forget it / no please don't / wait, not yet / hold on, don't
    """,
    # --- something else ---
    "change": """
        no, <moment> / actually <moment> / make it <moment> / <moment> instead / no, rather <moment>
        / could you make it <moment> / <affirm>, but <moment> / can we do <moment> instead / not <value>, <moment>
        / I meant <moment> / <affirm>, and make it <number> of us
    """,
    "number": "three / four / two",
    "moment": "<day> at <hour> / <day> at <hour> / <day> <part> at <hour>",
    "day": "monday / tuesday / wednesday / thursday / friday / tomorrow",
    "hour": "nine / ten / eleven / two / three / four / ten thirty / half past two",
    "part": "morning / afternoon",
    "value": "<moment> / <moment> / <moment> please / I could do <moment> / how about <moment> / <moment> works for me",
    "wish": "I would like to book <moment> / can we meet <moment> / I'd like a meeting on <moment> / book me <moment>",
    # --- another matter ---
    "question": """
        what does it cost / is it raining / how long does it take / who will be there / where are you calling from
        / do you also work on sundays / what was your name again / how many people use it / where is that
        / do I have to install something / are you a robot
    """,
    "talk": """
        my dog is barking / it's loud in here / the line is bad / I am in the car / we moved last year
        / sorry, the kids / somebody is at the door
    """,
    "objection": """
        that is too expensive / that's a lot of money / we have no time for that now / I don't think it is for us
        / my boss decides that / it sounds complicated / I don't trust that / that is too much for us
    """,
    "filler": "um / well / hm let me see / ah",
    "token": "mm-hm / uh-huh / okay / I see / right",
}

_SAYS: dict[Meant, str] = {
    Meant.YES: "yes",
    Meant.CONDITION: "condition",
    Meant.NO: "no",
    Meant.WAIT: "wait",
    Meant.CHANGE: "change",
    Meant.QUESTION: "question",
    Meant.VALUE: "value",
    Meant.TALK: "talk",
    Meant.TOKEN: "token",
}


def worded(chance: random.Random, meant: Meant, value: str = "", *, rule: str = "") -> str:
    """Words of this meaning (of the named rule of the grammar, where there is one); `value` = what was read back."""
    return _expanded(chance, f"<{rule or _SAYS[meant]}>", value)


def line(chance: random.Random, *parts: Meant | tuple[Meant, str], value: str = "") -> str:
    """A turn of several pieces, each with its meaning in front (`meaning.pieces`); (meant, rule) names a rule."""
    found = []
    for part in parts:
        meant, rule = part if isinstance(part, tuple) else (part, "")
        found.append(f"{meant}: {worded(chance, meant, value, rule=rule)}")
    return " | ".join(found)


def _expanded(chance: random.Random, text: str, value: str) -> str:
    while (found := _SLOT.search(text)) is not None:
        name = found[1]
        said = value if name == "value" and value else chance.choice(_alternatives(name))
        text = text[: found.start()] + said + text[found.end() :]
    return text


@cache
def _alternatives(name: str) -> tuple[str, ...]:
    return tuple(" ".join(each.split()) for each in _GRAMMAR[name].split("/"))
