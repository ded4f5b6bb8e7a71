"""The vocabulary that phrases are made of: slips and contractions, classes of words, words that turn a sentence.

Data only, in the normal form that `phrases.py` brings text to: lower case, contractions opened ("don't" = "do not"),
slips mended, amounts as `<amount>`, `<number>` or `<none>`. What whole phrases say is `lexicon.py`.
"""

from __future__ import annotations


def words_of(*lines: str) -> frozenset[str]:
    """The words of some lines, as a set."""
    return frozenset(word for line in lines for word in line.split())


# Contractions and slips that a general rule ("n't" = not, "'ll" = will, ...) does not open. Recognizers and hurried
# transcripts drop apostrophes; "ill" and "id" are far more often "I'll" and "I'd" in talk than the words themselves.
SPELLINGS: dict[str, str] = {
    "won't": "will not", "wont": "will not", "can't": "can not", "cant": "can not", "cannot": "can not",
    "ain't": "is not", "aint": "is not", "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not",
    "wasnt": "was not", "arent": "are not", "werent": "were not", "havent": "have not", "hasnt": "has not",
    "hadnt": "had not", "wouldnt": "would not", "couldnt": "could not", "shouldnt": "should not", "im": "i am",
    "ive": "i have", "ill": "i will", "id": "i would", "thats": "that is", "its": "it is", "lets": "let us",
    "let's": "let us", "youre": "you are", "theyre": "they are", "theres": "there is", "whats": "what is",
    "hows": "how is", "wheres": "where is", "whos": "who is", "thatll": "that will", "itll": "it will",
    "gonna": "going to", "wanna": "want to", "gotta": "have to", "gimme": "give me", "lemme": "let me",
    "dunno": "do not know", "kinda": "kind of", "sorta": "sort of", "alot": "a lot", "tryna": "trying to",
    "yeah": "yes", "yep": "yes", "yup": "yes", "yea": "yes", "ya": "yes", "yah": "yes", "nope": "no", "nah": "no",
    "naw": "no", "ok": "okay", "okey": "okay", "k": "okay", "alright": "okay", "allright": "okay", "alrighty": "okay",
    "mhm": "mm-hm", "mmhm": "mm-hm", "mm-hmm": "mm-hm",
    "mm-h": "mm-hm", "m-hm": "mm-hm", "mmh": "mm-hm", "uh-h": "uh-huh",
    "uhhuh": "uh-huh", "mmm": "hmm", "hm": "hmm", "hmmm": "hmm",
    "erm": "um", "umm": "um", "uhm": "um", "er": "uh", "uhh": "uh", "definately": "definitely", "totaly": "totally",
    "defiantly": "definitely", "def": "definitely", "definetly": "definitely", "prolly": "probably",
    "probly": "probably", "cuz": "because", "cause": "because", "coz": "because", "bc": "because", "u": "you",
    "ur": "your", "r": "are", "thx": "thanks", "thankyou": "thank you", "tho": "though", "goodbye": "bye",
    "bye-bye": "bye", "sec": "second", "secs": "second", "y'all": "you", "c'mon": "come on", "goin": "going",
    "doin": "doing", "bucks": "dollars", "buck": "dollars", "dollar": "dollars", "cent": "cents",
    "legitimate": "legit", "oclock": "o'clock", "o'clock": "o'clock",
}  # fmt: skip

# The same, as the weights of overlaps spell them (`overlap_weights.py`).
SAME_IN_OVERLAPS: dict[str, str] = {
    "o_k": "okay", "ok": "okay", "mhm": "mm-hmm", "mm-hm": "mm-hmm", "mmhmm": "mm-hmm", "mhmm": "mm-hmm",
    "uhhuh": "uh-huh", "uh-hm": "mm-hmm", "mm": "mmm", "hm": "hmm", "mm-h": "mm-hmm", "m-hm": "mm-hmm",
    "mmh": "mm-hmm", "mh": "mm-hmm", "uh-h": "uh-huh", "yea": "yeah", "ya": "yeah",
}  # fmt: skip

# Words that may stand between the words of a phrase without changing it.
LIGHT = words_of(
    "really just very so quite pretty actually honestly definitely certainly absolutely gladly happily also still",
    "truly totally completely personally probably likely possibly perhaps maybe hopefully um uh well simply please",
    "even then both surely only now always ever extremely super incredibly highly sincerely kindly fully",
)

# Words that take back what follows them in the clause, and words that they do not reach across.
NEGATORS = words_of("not never hardly without neither nor")
JOINTS = words_of("and because so or which who since when while")

# Words that make what they stand with less certain; that put it off to no particular time; that only suppose it.
HEDGES = words_of("maybe perhaps possibly might probably guess suppose somewhat")
DEFERRALS = words_of("later someday eventually sometime future")
SUPPOSING = words_of("if unless until before once whether")

# A clause ends before these, whether a comma was heard or not.
TURNING = words_of("but however although though except")

# With these a speaker takes back what was just said. Looked for at the head of a clause; those of two words also split
# one ("yes no wait", as a recognizer without punctuation writes it).
CORRECTIONS = frozenset({
    ("no", "wait"), ("wait", "no"), ("no", "sorry"), ("sorry", "no"), ("actually", "no"), ("no", "actually"),
    ("scratch", "that"), ("i", "take", "that", "back"), ("correction",), ("i", "meant"), ("sorry", "i", "meant"),
    ("no", "i", "mean"), ("i", "mean", "no"), ("oh", "wait"), ("wait", "actually"), ("no", "i", "meant"),
})  # fmt: skip

# After these a clause still begins: "okay yes i do", "well um no".
LEADS = words_of("please well oh um uh so and then ah okay yes no hi hello hey thanks sorry right sure hmm or")

# What a word of a pattern also stands for.
EQUALS: dict[str, frozenset[str]] = {"i": words_of("i we"), "am": words_of("am are"), "me": words_of("me us")}

NUMBERS: dict[str, int] = {
    "zero": 0, "oh": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}  # fmt: skip

_COUNTED = " ".join(word for word in NUMBERS if word not in ("zero", "oh"))

# Amounts without a number.
SHARES = words_of("half quarter everything")

CLASSES: dict[str, frozenset[str]] = {
    "be": words_of("am are is be was were"),
    "aux": words_of("do does did is are was were have has had can could would will should may"),
    "you": words_of("you it they there this that these those we i he she the your any anyone my all some"),
    # What one commits to do.
    "act": words_of(
        "do donate give buy take book schedule pay order proceed join contribute try start subscribe commit pledge",
        "purchase enroll sponsor meet accept choose pick sign fund spare send participate register reserve renew",
        "upgrade switch offer chip match invest",
    ),
    "doing": words_of(
        "doing donating giving buying taking booking scheduling paying ordering joining contributing trying starting",
        "subscribing purchasing enrolling sponsoring accepting signing sending",
    ),
    "deal": words_of("donation purchase payment contribution pledge booking appointment reservation order decision"),
    "willing": words_of("willing good happy glad ready prepared delighted pleased honored eager keen inclined open")
    | {"comfortable"},
    "agree": words_of("agree agreed"),
    "number": words_of("<number> a", _COUNTED),
    "sum": words_of("<number> <amount> half all everything some part", _COUNTED),
    "money": words_of("dollars cents percent pounds euros"),
    "funds": words_of("money budget funds cash income"),
    "share": words_of("half all everything some part portion most quarter"),
    "good": words_of(
        "good great fine perfect wonderful awesome amazing excellent fantastic nice lovely cool fair reasonable right",
        "interesting easy impressive brilliant incredible terrific super helpful beautiful noble worthy worthwhile",
        "important sweet useful outstanding admirable wise valuable positive best neat splendid legit credible",
    ),
    "praise": words_of(
        "great perfect wonderful awesome amazing excellent fantastic cool brilliant terrific incredible outstanding",
        "nice interesting lovely impressive super sweet beautiful wow fabulous neat",
    ),
    "thing": words_of(
        "cause idea thing organization charity mission program deal offer product company service plan point reason",
    ),
    "heard": words_of("heard seen donated known done been tried used thought considered given visited"),
    "that": words_of("that it this those these they"),
    "is": words_of("is are was sounds seems looks feels sound seem look would will"),
    "know": words_of("know learn hear understand find see"),
    "someone": words_of("person human agent representative rep manager supervisor operator somebody someone people"),
    "boss": words_of(
        "wife husband boss partner manager team spouse family board accountant director cfo ceo lawyer supervisor",
        "colleague colleagues department owner girlfriend boyfriend son daughter mother father parents",
    ),
    "ask": words_of("ask consult check discuss talk speak"),
    "wh": words_of("who what when where why how which whose"),
    "asked": words_of(
        "many much long often far soon about kind kinds sort sorts type types else exactly day time percentage amount",
        "way ways specifically other own owns makes runs",
    ),
    "moment": words_of("second moment minute"),
    "costly": words_of("expensive pricey costly steep much high"),
    "hard": words_of("complicated hard difficult complex technical confusing"),
    "worry": words_of("worried concerned afraid scared skeptical suspicious nervous anxious wary leery hesitant"),
    "nothing": words_of("nothing zero"),
}

# What a question or a general worry is about, by the words in it.
TOPIC_WORDS: dict[str, str] = {
    word: topic
    for topic, words in {
        "price": words_of(
            "price prices pricing cost costs expensive fee fees dollars budget pay payment afford cheap cheaper money",
            "discount costly pricey bills funds income <amount> cents percent salary quote rate rates charge charges",
        ),
        "timing": words_of(
            "time timing when soon later schedule busy today tomorrow week month year quarter deadline date rush wait",
            "long early late",
        ),
        "authority": words_of(
            "wife husband boss partner manager team spouse approval decision board director approve sign-off"
        ),
        "trust": words_of(
            "scam legit real trust reputation reviews honest safe secure security privacy guarantee proof fraud fake",
            "transparent scandal legally genuine sketchy overhead",
        ),
        "implementation": words_of(
            "install setup integrate integration migrate migration technical complicated training staff software",
            "system onboarding implement work works hassle",
        ),
        "fit": words_of("need fit use feature features different better already prefer suited"),
    }.items()
    for word in words
}
