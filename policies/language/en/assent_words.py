"""The words of an answer: what affirms, what is mere courtesy, and what leaves a condition, a doubt or a change behind.

Data only, in the normal form of `phrases.py` (lower case, contractions opened, "yeah" = "yes"). How an answer is read
with them is `assent.py`. A word that is nowhere here is a word that nobody could read.
"""

from __future__ import annotations

from .vocabulary import NUMBERS, words_of


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Phrases apart by ` / ` or a line's end, the longest first, so that the longest that fits is taken."""
    found = {tuple(line.split()) for block in text.splitlines() for line in block.split("/") if line.split()}
    return tuple(sorted(found, key=lambda words: (-len(words), words)))


# Say yes by themselves.
AFFIRMING = _phrases("""
    yes / yes indeed / yes of course / yes it is / yes i do / yes i am / yes you may / yes you can / yes that will do
    correct / right / exactly / absolutely / definitely / certainly / indeed / precisely / totally / affirmative
    sure / sure thing / for sure / of course / by all means / you bet / you got it / okay / very well / agreed / alright
    perfect / great / good / fine / wonderful / excellent / lovely / brilliant / super / fantastic / awesome / amazing
    sounds good / sounds great / sounds perfect / sounds fine / sounds right / sounds wonderful / sounds lovely
    that sounds good / that sounds great / that sounds perfect / that sounds fine / that sounds right / all good
    it sounds good / it is good / it is fine / it is perfect / it is right / it is correct / it is great
    that is right / that is correct / that is perfect / that is fine / that is good / that is great / that is it
    that is exactly right / that is all right / that is okay / that is wonderful / that is lovely / that is true
    that is what i want / that is what i said / that is the one / that is a yes / this is right / this is correct
    that works / that works for me / that will work / that will work for me / works for me / it works / it works for me
    that will do / that suits me / that would be good / that would be great / that would be perfect / that would be fine
    that would work / that would be lovely / that would be wonderful / that would be right / that is me
    i do / i am / i agree / i confirm / i would / i would like that / i would love that / i would love to
    go ahead / please go ahead / do it / please do / do that / please do it / go for it / let us do it / let us do that
    let us go / book it / book that / please book it / please book that / book it please / order it / confirm it
    you have it right / you got that right / you are right / got it right / all correct / all right / quite right
    no problem / not a problem / no problem at all / no objections / why not / it is a yes / i said yes / i accept
    i can do that / i can make that / i can make it / i am happy with that / i am good with that / i am fine with that
    i am okay with that / good with me / fine with me / fine by me / okay with me / good for me / great for me
    okay for me / perfect for me / that is perfect for me / that is good for me / that is fine for me / i take it
    i will take it / is perfect / is good / is fine / is great / is right / is correct / works / is okay / will do
    works great / works well / works perfectly / that works great / that works well / that works perfectly
    let us go ahead / sign me up / that makes sense / makes sense / fair enough
    try again / please try again / try it again / try once more / try it once more / once more / give it another try
    cool / aye / confirmed / roger / gladly / bingo / spot on / okey dokey / okie dokie
    suits me / it suits me / got it / that fits / it fits / fits / with pleasure
    make it so / put me down / put me down for that / put me down for it
    i will be there / we are good / we are / we can / you have got it right / you heard right / you can book it
    you can book that / i am happy with that / yes i am happy with that
    yes i am free then / everything is right / everything is correct / the time is right / that time is right
    that time works / that time works for me / that day works / that day works for me
    i am free then / that time is good / that time is fine / that time is perfect / that is all correct
    that suits / that is the time / that is the day
    yes do that / you can go ahead / yes you can go ahead / you are correct / yes you are correct / please do so
    i am available / i am available then / yes i am available / yes i am available then
    i have time then / i am happy with it / oh yes / why yes / like i said / as i said
    i am sure / quite sure / yes sir / yes ma'am / yes madam / it does / that does it / it will / it is
""")

# Add nothing to an answer and take nothing from it.
COURTEOUS = _phrases("""
    please / thank you / thanks / thank you very much / thank you so much / thanks a lot / many thanks
    thanks very much / thank you kindly / thanks again / cheers / sir / ma'am / madam / dear / my friend
    much appreciated
    i appreciate it / i appreciate that / appreciate it / very kind / that is very kind / that is kind of you
    looking forward to it / i look forward to it / i am looking forward to it / i am looking forward / see you then
    talk to you then / have a good day / have a nice day / have a great day / bye / good bye
    uh huh / mm hm / mm hmm
    so much / very much / a lot / for me / with me / by me / then / to me / very / really / just / that / it
    for asking / you know / see you / mm-hm / uh-huh
""")

# Who takes leave with no more than a listener's word has been polite, and has agreed to nothing.
FAREWELLS = words_of("bye")

# Sounds of speaking.
FILLING = words_of("um uh well oh ah so and er hmm hm mm like")
TRAILING = words_of("and so to for or because well hmm hm with at on in the a an my")  # more was to come after these
TOKENS = words_of("mm-hm uh-huh hmm hm mm huh")  # a listener's: they say "I hear you", and nothing more

# A listener's words over the agent, or alone: nothing that was said before is outdated by them.
LISTENING = (
    TOKENS | FILLING | words_of("you know okay yes right sure good great fine thanks thank please i see all alright")
)

# What is agreed only if, when, as long as.
CONDITIONAL = words_of(
    "if unless until provided providing assuming depending depends except only once when before after whether but",
    "though although however otherwise supposing subject pending",
)
CONDITIONAL_PHRASES = _phrases("as long as / so long as / on condition / on one condition / in case / first")

# What is not quite meant, or not yet.
DOUBTING = words_of(
    "maybe perhaps possibly probably might guess think suppose believe hope unsure ask check later someday eventually",
    "sometime doubt wonder let consider depends hopefully whatever anyway",
)
DOUBTING_PHRASES = _phrases("""
    not sure / i do not know / can not say / could not say / hard to say / more or less / kind of / sort of / in a way
    if you say so / as you like / what do you mean / yes and no / yes or no / we will see / i will see / let me
""")

# Said to mean the contrary: anywhere, and as a whole clause.
IRONIC = _phrases("""
    as if / like that will / like that is / that will be the day / just great / who cares / that is rich
    very funny / kidding / joking / in your dreams / my foot / in wrong / sarcastic
""")
IRONIC_ALONE = _phrases("yes right / yes right sure / oh sure / sure sure / not / i wish / oh great / very good one")

# What takes back, refuses, or wants something else.
REFUSING = words_of(
    "no not never nothing wrong incorrect false opposite contrary cancel stop wait hold forget nor neither refuse",
    "hardly without",
)
# Here "correct" and "right" are no yes: somebody wants it mended.
CORRECTING = _phrases("correct it / correct that / correct this / please correct / right it")
CHANGING = words_of(
    "instead rather change different another earlier sooner actually make switch move add also plus more less too else",
    "correction meant mean reschedule rebook other",
)

# Said of what is done already: it shall not stand.
TAKING_BACK = _phrases("""
    cancel / cancel it / undo / take it back / take that back / call it off / forget it / never mind / stop / wait
    hold on / changed my mind / change my mind / second thought / second thoughts / actually no / actually not
    i did not want / i do not want / do not want it / do not want that / not want that / rather not / reschedule
    do not book / did not agree / never agreed / wrong day / wrong time / wrong date / wrong one / wrong number
    a mistake / my mistake / that is wrong / that was wrong / not right / not correct / instead / can not make it
    will not work / does not work
""")

# Said of what is done already, where it was asked whether it shall be undone: it shall stand.
KEEPING = words_of("not keep leave")

# What times and numbers are made of.
VALUES = words_of(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight noon midnight morning afternoon",
    "evening night am pm a.m p.m a.m. p.m. o'clock january february march april may june july august september",
    "october november december half quarter past to in the on at of for first second third fourth fifth sixth seventh",
    "eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth",
    "nineteenth twentieth thirtieth next double triple",
)

# How a question to the agent begins: a word, and what may follow it. "Will think about it" and "what a joke" ask
# nothing. "Can you" and "could you" ask for something to be done, which is no mere question.
_SUBJECTS = words_of("it there i you we they he she my your somebody someone anybody anyone")
ASKED_SUBJECTS = words_of("the this that")  # "perfect is the enemy of good" asks nothing
_OPEN = words_of("is are do does did will was am would time day kind number address name")
QUESTIONS = {
    **dict.fromkeys(words_of("is are do does did will am was"), _SUBJECTS),
    **dict.fromkeys(words_of("what which whose who where when why"), _OPEN),
    "how": _OPEN | words_of("long far much many often soon"),
}
# In a question these ask about the yes itself, or about what it costs: both come before the yes.
CHALLENGING = words_of("right correct sure true yes really serious joking my mine said say agreed booked")
MONEY = words_of("cost costs price prices pay paid paying charge charged charges fee fees much money expensive free")
NAMING = VALUES - words_of("to in the on at of for next may second first past")  # these name a day or a time
DIGITS = NUMBERS.keys() | words_of("oh o double triple and it is")
