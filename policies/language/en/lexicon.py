"""The lexicon: which phrases say what.

Data only. How phrases are found is `phrases.py`; what they add up to in their sentence (negation, hedging, "but",
correction, what was asked) is `reading.py`; the words that they are made of are `vocabulary.py`.

Patterns are apart by ` / ` or a line's end, their words by spaces. `a|b` = either; `@class` = any word of that class;
a trailing `?` = may be left out; `^` in front = only where a clause begins; `$` at the end = only where it ends. "i"
also means "we", "am" "are", and "me" "us". Between two words of a pattern, light words may stand. Where several
patterns begin at one word the longest counts, so a longer pattern is also how an exception is written: sign None = says
nothing.

A group's third part is a concern's topic ("" = by the words around it) or, for other signs, the condition on which it
counts: "asked" = only in answer to a yes/no question, "offered" = only in answer to an offer; "eager" = the question
shows interest too.
"""

from __future__ import annotations

from ...core.state import Sign

Says = tuple[Sign | None, float, str]  # sign, strength, topic or condition

CONDITIONS = frozenset({"asked", "offered"})

# These are heard wherever they stand, whatever other phrase their words belong to.
BINDING = frozenset({Sign.STOP, Sign.HUMAN})

PHRASES: dict[Says, str] = {
    # --- requests that bind at once -----------------------------------------------------------------------------------
    (Sign.STOP, 1.0, ""): """
        do not call me|us|here|back? again|anymore|ever / do not call me|us|here $
        do not call this|my|our number again? / do not call again|anymore|back / do not ever call
        never call me|us|here|this again? / stop calling / quit calling / no more calls
        take|remove me|us off|from your|the|this? call? list / take|remove me off|from / take me off
        take|remove my|our|this number off|from / lose my|this number / do not contact me|us / stop contacting
        want|like you to? stop|quit calling / not want you to call|contact me|us? again|anymore?
        leave me|us alone / unsubscribe me / put me on your|the do not call / do not bother me|us / stop bothering
        stop harassing / do not want you calling|to call / do not want any? more? calls / delete my|our number
    """,
    (Sign.HUMAN, 0.95, ""): """
        talk|speak to|with a|an|the|your|some? real|actual|live|human? @someone
        talk|speak to|with your? manager|supervisor / talk|speak to|with someone|somebody real|else
        get me a|an|the real|actual|live|human? @someone
        give me a|an|the real|actual|live|human? person|human|agent|representative|operator|manager|supervisor
        a|an|the real|actual|live person|human|agent / ^ representative|operator|agent $ / transfer me
        connect me to|with / put me through / human being please / ^ human please? $
    """,
    (Sign.WAIT, 0.9, ""): """
        hold on / hang on / hold please / please hold $ / hold the line / bear with me / give me a|one|just? @moment
        ^ one|a|just|wait|hold|hang? a|one @moment $ / just a|one @moment / wait a|one @moment / ^ one @moment
        hold a|one? @moment / let me check|look|get|grab|find|ask|pull|open|write|turn|go|put|close|finish
        let me see $ / let me see if / be right back / can|could you hold / can|could you wait / ^ wait $
        need a|one @moment / ^ let me see / just wait
    """,
    (Sign.GOODBYE, 0.8, ""): """
        bye / good bye / bye bye / have a good|nice|great|wonderful|amazing|lovely|blessed|pleasant|fantastic rest?
        talk to you later|soon / take care / have to go $ / have to run $ / need to go $ / have to go now
        ^ good night / see you later|soon|then|tomorrow / nice|good|great talking|chatting|speaking to|with you
        going to hang up / am hanging up / enjoy your|the rest? of? day|evening|weekend / have a good one
        have to leave $ / i am done talking
    """,
    # --- agreement to act ---------------------------------------------------------------------------------------------
    (Sign.COMMITMENT, 0.9, ""): """
        let us @act / let us go ahead / let us go with / let us move|get forward|started|going / sign me|us up
        count me|us in / put me|us down / book it|me|us|that / ^ go ahead and @act|book|put|send|process / i am in $
        i am on board / you have|got a deal / it is a deal / ^ deal $ / i will take it|that|this|one|two|both
        i will do it|that|this|so / i will go with|for|ahead / sounds good go ahead / you have convinced me
        you convinced me / i am convinced / you have talked me into / i am sold / ready to @act|go|begin|proceed
        where do i sign / i will be sure to @act / i am going to @act / i will be @doing / i will @act
        i shall @act / charge my|the card / we have a deal
        send me|us the contract|agreement|paperwork|invoice|link / i will make a @deal / i will agree to @act
        i @agree to @act / lock it|that|me in / lock into / set it|me|that up
        set up the|a meeting|call|appointment|demo / i will commit / i will pay / i am @doing @sum
        i will go ahead? and @act|make / i will make a|my|our|the donation|purchase / i am going to make|sign|go
        we agree / let us agree / i will put in|down|it / i will throw in / consider it done / make it @sum
        i will @act @sum / i agree to @act / i am in for / i want in / i will sign up / i would like|want to sign up
        sign me up / go ahead and @act|book|put|send|process|charge|take / i will support / i will send
        just @act it / let us get it|this done|started|going
    """,
    (Sign.COMMITMENT, 0.8, ""): """
        i would like|love|want to to? @act / i would be @willing to @act / i am @willing to @act
        i will be @willing to @act / i want to @act / i would be @willing to $ / i would love|like|want to $
        i will be @willing to $ / i am @willing to $ / i would like|love|want to to? make a|my|our|this|some @deal
        i can make a|my|our @deal / i want to make a|my|our @deal / i would be @willing to make|put / i would too $
        i will too $ / i would be honored|delighted $ / happy to @act / glad to @act / i would feel good about
        i can|could|would spare|afford|manage|do @number|<amount> / i would be fine|okay with that|it
        i am fine|okay with that|it / that|it would be fine with me|us / that|it works for me|us
        that|it will|would work for me|us / i like to @act / happily @act / i will help
        i would be @willing to help / i think i will $ / i sure will / i would sure
        that|it would be something i would / i would opt for / i will opt for / i opt for
        i have @number|<amount> @money? i can / i plan on @doing / i am planning on|to @doing|@act
        i intend to @act / i would like to help / i can @act / i could @act / i would @act
        i am @willing with @doing / i can|could @act @sum / i would have to say @sum / ^ i will $
        i am @willing to be a part / that|it would be fine|good|great with|for me|us / ^ let us do
        i decided|chose to @act / i have decided to @act / i am all for it / i will pitch|chip in
        i would be up for / i am up for / let me @act / i think i can do / i will try to @act
        i would be @willing and / i am interested in @doing / of course i will|would|can / we can do that|it
        okay i will / i am going to try|help / i am @willing to give it / i would contribute / i would gladly
        i will gladly / i can try / i will match
    """,
    (Sign.COMMITMENT, 0.6, ""): """
        how|what about <amount> / how|what about @number @money / how|what about @share
        is <amount> okay|enough|fine|good|acceptable / is @number @money okay|enough|fine|good
        would <amount> help|work|do|be / <amount> it is / @number @money it is
        ^ <amount> sounds|works|is good|fine|okay|great / @number @money sounds|works|is good|fine|okay|great
        i guess i can|could|will|would / i suppose i can|could|will|would / ^ <amount> is good|fine|okay
        ^ okay then <amount> / let us say <amount> / let us say @number / i will say <amount> / i will say @number
        can|could i @act @sum / i should|would say @sum / ^ @sum it is / how about i @act
        i guess i can|could|will|would $ / i may|might as well @act / i think i should|could|will @act
        we should @act @sum / we can both? @act / ^ @share of it|my|that|the $
    """,
    (Sign.COMMITMENT, 0.7, "offered"): """
        ^ i would|will|do|am|can|could $ / ^ i would|do|am|can|will too|so|indeed $
        ^ that|it|they is|would|works|sounds okay|fine|good|fair $ / i guess so / ^ i suppose so
        ^ sounds good|fair|great|reasonable|fine / ^ deal / i like that|it $ / ^ why not $ / ^ fine $
        ^ okay fine $ / ^ that|it is doable / i am sure i can|could / ^ very well $ / ^ whatever i can
        ^ as much as i can
    """,
    # --- agreement to what was said or asked --------------------------------------------------------------------------
    (Sign.CONFIRMATION, 0.8, ""): """
        ^ yes / absolutely / ^ definitely / of course / ^ exactly / ^ correct / that is right|correct|it
        you are right|correct / i agree / ^ agreed / i @agree with you / could not agree more / for sure / ^ sure
        by all means / yes please / ^ perfect $ / sounds good / sounds like a plan / that works / works for me|us
        fine by|with me|us / ^ totally / ^ most definitely / ^ certainly / ^ indeed / no problem / why not $
        not a problem / no worries / my pleasure / that is fine / that is okay / it is fine|okay
        i do not see why not / i have no problem|issue|objection|objections / i do not mind / i would not mind
        no doubt
    """,
    (Sign.CONFIRMATION, 0.55, ""): """
        ^ okay / ^ right / ^ true / @that is true / so true / makes sense / make sense / i see / i understand
        got it / i got it / i get it / i hear you / understood / understandable / noted / fair enough / fair point
        good point / that is fair / good to know / i know right / i suppose so / i guess so / point taken
        that is a good|great|valid|fair|excellent point|question|idea / i know what you mean / you bet / ^ mm-hm
        ^ uh-huh / ^ it does $ / ^ they do $ / @that is good to know / i am with you / ^ please do it|that|so? $
        ^ i know $ / i am aware / i believe so / i think so / i get that / i do agree / ^ very true / i recognize
        ^ that is what i thought
    """,
    (Sign.CONFIRMATION, 0.8, "asked"): """
        ^ i would|do|am|can|will|have|did|could|was $ / ^ i would|do|am|can|will|have|did too|so|indeed|actually $
        ^ it|they|he|she|that|there is|does|do|are|has|have|did|was $ / ^ always $
        ^ i think|believe i? so|have|do|am|would $ / ^ i suppose|guess so? $ / ^ please
        ^ i have heard|seen|donated|been|done / ^ i think i have / ^ a little|few bit? $ / ^ very $ / ^ very much
        ^ go ahead / ^ sometimes / ^ often / ^ usually / ^ i have indeed|one|two|some|several
    """,
    # --- warmth -------------------------------------------------------------------------------------------------------
    (Sign.INTEREST, 0.7, ""): """
        i am interested / i would be interested / sounds interesting|intriguing / i like that|it|this|the
        i love that|it|this|the / i love what / i like what / that|it would be @good
        i would love|like to hear|see|learn|visit|volunteer|support|know / please go ahead / ^ go ahead $ / ^ go on
        interested in / i am intrigued / seems like a|an|such|they|it / i support / i could stand behind
        i will look into / i will check / i will definitely look / i will keep that in mind / i will consider
        i would consider / i might consider / i will think about @doing / will check it|that|them out
        i will have a look / i will look at|for|it / i will go through / i will review / i may|might @act
        i might be @willing|able|interested / i may be @willing|able|interested / i believe in / i am glad
        glad to know|hear|help|see / happy to help|hear|know|see|do / i will try / i wish i could / i can not wait
        can not wait / looking forward / eager to / i feel for / count on me / i would love
        sounds like a|an|quite|such @good / sounds like something / every little bit? counts|helps / anything helps
        any amount helps / it|this|that is really? important / i am happy to|with|for|that|about
        i want|would like|love to help / i can|would help / i love to help|do|see / i am @willing to help
        i am grateful|passionate|excited|eager|thrilled / happy to be able / i will have to take|have a look
        i will have to look|check / i plan to / i care about / i would be @willing|interested to|in|hear|learn
        i hope to|that|it|they / i feel good|the same / i would do the same / i hope i can|could
    """,
    (Sign.INTEREST, 0.6, ""): """
        ^ @praise / that is a|an? such? a? @good / that|it is|are @good / that|it was @good / they are @good
        they do @good / @that is|are a|an|such? @good / @that @is a|an? @good / @that @is such a|an? @good
        @that @is one of / oh wow / ^ wow / oh cool / oh nice / oh great / i am impressed / i admire / i respect
        i appreciate / the least i can do / @good for you / @good to hear|see|help|give|know / worth it
        that|it @is @good / @that @is @good / @that seem|seems|sounds|looks to? be? a? @good / makes a difference
        make a difference / that|it helps / go a long way / goes a long way / inspiring / i would be delighted
        means a lot / encouraging / makes me happy / makes me feel good|better / warms my heart / ^ sounds @good
        very @good|beneficial|interesting|helpful|nice / ^ such @good / sounds very? @good / i am so? happy
        every cent|penny|dollars counts|helps / a huge|big|great impact / a|such|really @good @thing
        ^ @good @thing
    """,
    # --- ground given -------------------------------------------------------------------------------------------------
    (Sign.SOFTENING, 0.7, ""): """
        i guess that is|would fair|fine|okay|reasonable|true|be|work|makes / i guess you are right
        maybe you are right / you may|might have a point / you have|got a point / i see your point
        i see what you mean / that helps / that is better / that sounds better
        that is not|more so|too|that bad|reasonable|doable|manageable
        not that|so|as bad|expensive|hard|complicated / in that case / when you put it that|like way|that
        i had not|never thought|considered of|about|it / i can|could live with / that is actually reasonable
        that sounds more? reasonable|fair|manageable|doable|better / that changes things|everything
        if that is the case / i did not realize|know that / i was unaware / not an? issue / not a concern
        not worried about / i suppose that|it is|could|would|might fine|okay|work|be / that might|could work
        that is reasonable / that is manageable / that is doable / that eases / that puts my mind / i feel better
        less worried / no longer / i could make that|it work / fair enough i guess|suppose / no problem with that
        no concern|concerns|issue|issues|objection|objections|doubts
    """,
    # --- objections, by topic -----------------------------------------------------------------------------------------
    (Sign.CONCERN, 0.8, "price"): """
        too @costly / too much money / can not|could not afford / can not|could not afford to / not able to afford
        not afford / unable to afford / out of|over|beyond|above|outside|within|in my|our current? budget|price
        not in|within my|our current? budget / do not have the|any|much|enough|a|extra|that @funds
        do not have much|any|enough|extra|spare money|to / do not have a lot / do not have that kind of money
        not have much money / money is? tight / finances are tight / on a budget / short on|of cash|money|funds
        low on cash|money|funds / i am broke / am broke / super broke / poor man|person|too / costs|cost too much
        not worth it|the|that / hidden fees|costs / unemployed / lost my job / bills to pay / other bills
        keep my|the money / waste of|my money / not made of money / do not make a|much lot|money|enough
        not make much|enough|a / cheaper elsewhere|somewhere|with|from
        more than i|we can|want|wanted|expected|hoped / lot to ask / budget is limited|tight|small / depend on every
        food from my / food stamps / paycheck to paycheck / pay my|the bills|rent / in debt / money is not here
        price is high|steep / pretty expensive / can not spend|spare / that|it|this is a lot $
        that|it|this is a lot of money / a lot of money for|to me|us|spend|pay / i am struggling
        financially tight|difficult|strapped|unable / @that is|are|sounds|seems|looks expensive
        pretty|kind|bit|little|rather of? expensive|pricey|steep|high|costly / expensive for me|us|what
        i need the|my|every|this|that money|penny|dollars|income / do need the money
        i have expenses|bills|debts|debt / tight|limited|small budget|income|funds
        on a tight|limited|small|fixed budget|income / a|of bills to pay
        money|budget|finances|funds|fiances|things is|are|be a? bit|little? tight / i am poor
        i do this for a living / lot of bills|debt / price|cost is high|steep|too
        i have a|my family|kids to feed|support / kids of my own to / i work|worked hard for my|that|this
        depend on this|every|my / i have no @funds / no money|budget|funds to|for|left|right|at
        money|cost|price is an|the|my issue|problem|concern / i can not spare|spend / i need my|the money|paycheck
        i have to pay / do not have any money|cash|budget|funds|extra|spare / do not have extra|spare|cash|money
        i am struggling|strapped / trying to save / need to save / saving up|for
        cheaper option|alternative|plan|version / what a price / that is steep
        more than i|we? expected|budgeted|planned|thought|pay
    """,
    (Sign.CONCERN, 0.75, "timing"): """
        not a good|great time / bad time / not right now / not now / not today / not at this|the time|moment
        not ready / too busy / do not have time / do not have the|any|much|enough time / have no time / no time
        maybe later / some other time / another time / call me? back later|another|next|tomorrow / not have the time
        not this week|month|year|quarter / in the middle of something|a|lunch|dinner / at a later time|date|point
        next year|quarter / not for another / after the holidays|summer|quarter|new / really busy / the busy season
        takes|take too long / i can not right? now|today|tonight / i can not at this|the time|moment / i am busy
        ^ busy / i am really? swamped|rushed / the timing is|of / timing is not|bad|off|a|tough
        that|it is too soon|early|late / too soon for|to / wait until|till next|after|i|we|the
        have to wait until|till / money|check|paycheck is not here / ^ not until / i will not until
        in a hurry|rush
    """,
    (Sign.CONCERN, 0.75, "fit"): """
        do not need / not need it|this|that|one|any / no use for / not for me|us
        not what i am|was looking|thinking / happy with what|our|my|who / does not work for
        will not|would not work / not a good? fit|match / i prefer / does not do what / not useful|relevant|suitable
        not sure it|this|that is|would for|right|fit / not the right / we are too small / we are a small
        missing the|a|some feature|features / lacks
        i already have|use|donate|give|contribute|support|work|got|pay|do
        already using|working with|have one|something|that|it / ^ already have
        i am already @doing|using|working|supporting|with / i would rather / rather stay|stick|keep|use
        that|it|this does not help|solve|fit|suit|apply|matter to|for? me|us
        i do not see the|how|why|a|any point|need|value|benefit|it|this
        that|it|this does|will|would not really? make|change any|a|much difference|sense
        that|it|this will|would not help|change / not do a thing|anything for / i typically @act|use
        i tend to prefer|use|go / there are other|better options|companies|products|ones|charities|ways
        they do a? better|not / i think it is better to / one we have|use now / i want|need|like to look|shop around
        i want|need|like to compare / i need|have|want to do my|more|some? own? research / in a contract
        locked in|into / happy with current|current|existing / take care of my own
        my own family|kids|children first / not my responsibility|thing|problem / not for everyone
        i do not see myself / i do not @act to|for that|those|this|these / can not help everyone
        we do fine without / not something i|we need|want|do|would|use / does not apply / i prefer to|not
        i want the|my money to
    """,
    (Sign.CONCERN, 0.75, "authority"): """
        @ask to|with|it by|with my|our|the @boss / @ask to|with my|our|the @boss / @ask my|our|the @boss
        @ask it over with my|our|the @boss / run it|this|that by my|our|the @boss
        run it|this|that past my|our|the @boss / not my decision|call|place / not the right person / not up to me
        do not make the|those|these|that decision|decisions / can not decide / can not make that|this|the decision
        have|need to @ask my|our|the @boss / have|need to @ask to|with my|our|the @boss
        have|need to @ask it|this|that with my|our|the @boss
        have|need to @ask it|this|that over with my|our|the @boss / need to run it|this|that by
        someone else decides|handles|makes / above my pay grade / not authorized / get it|this approved
        get approval|permission / my|our @boss decides|handles|makes the|those|that|these|all?
        my|our @boss has|needs|will|would|have|need to approve|decide|agree|see|know|sign
        my|our @boss will|would|does not / need|needs approval / my|our @boss signs off
    """,
    (Sign.CONCERN, 0.8, "trust"): """
        how do i know / how can i be sure|trust|know / is this a|some? scam|legit|real|fraud / do not trust
        can not trust / heard bad|negative|horror|some|stories
        bad reputation|reviews|experience|experiences|press|name|things / reputation is / too good to be true
        where does my|the money / not comfortable / not feel comfortable / not convinced / sketchy / fishy
        suspicious / skeptical / sceptical / ripped off / what is the catch / i doubt / i have my doubts
        have doubts / still wonder / who are you / where did you get my / sell my number|data|information / scandal
        dishonest / been burned|scammed|lied / not seem|sound|look legit|right|real|trustworthy / misused|misuse
        not actually go / a scam|fraud|trick|rip-off|ripoff / scam|scams / that|it|this is? legit
        i wonder how much|if / i do not believe that|it|you|this|them / hard to trust|believe|ensure|know|tell
        i am @worry that it|this|you is|are not? a? scam|legit|real / lining their|the pockets
        money goes|going to|towards the|their|pay? ceo|salaries|executives|administration|executive|pockets
        will|does|would|is not actually? go|going|get|reach to? / lying to / i do not trust|know who|anything|you
        why should i trust|believe / did not have|hear good / do not do what they promise|say
        has|have not convinced me / most of the|that|my? money goes / i need more information|proof before
        any proof|evidence|guarantee / seems|sounds|looks suspicious|shady|fishy|sketchy
        not trustworthy|transparent|honest
    """,
    (Sign.CONCERN, 0.75, "implementation"): """
        too @hard / hard to set|install|use|learn|integrate|implement
        sounds|seems|looks complicated|complex|difficult|confusing / a lot of work|effort|trouble|hassle
        too much work|hassle|trouble|effort / not technical / not have the staff|people|resources|team
        learning curve / migration / migrating / integrate with / integration
        we would have to change|retrain|rebuild|migrate / break our|my|the / how hard is / hassle
        how long does it take to set|install / pain to
    """,
    (Sign.CONCERN, 0.6, ""): """
        my|our|the|one only|biggest|main? concern|worry|problem|issue|fear is / only concern|worry|problem|issue
        i am afraid|worried|concerned that|about|of|not|i|for
        i have a|some concern|concerns|reservations|issue|problem / i can not stand / i disagree / i do not agree
        not sold on / i am against / i am not a fan / not fond / sounds risky / is risky / not good enough
        that is ridiculous|crazy|outrageous|unfair|stupid / wasting my / waste of / does not sound good|right|very
        not going to waste / not a big fan / ^ unfortunately
        that|it|this is stupid|useless|pointless|ridiculous|bad / i hate it|this|that|when|these|calls
        i do not like it|this|that|the|your|these / i am concerned about / @that bothers me
        the problem|trouble|issue with|is|for / my problem|trouble|issue is
        what if it|that|something does|goes not|wrong / i am @worry / i worry / my worry / makes me @worry
        i have worries|doubts / not everyone|everybody has|can / is a big? risk / you are not listening
        this|it|that is a waste / not a big? plus / i am not comfortable|convinced|happy|pleased|satisfied
        i am not a? big? fan|believer|sure i want|convinced / that|it|this is hard|tough|difficult for me|us|right
        i have reservations|doubts|mixed|concerns / it is just that / too many / not good for me|us
        i am wary|leery|hesitant|cautious / does not seem|sound|feel right|fair|good|very|like|so
        i am disappointed|frustrated|annoyed|upset
    """,
    (Sign.CONCERN, 0.5, ""): """
        i do not think|believe|feel
    """,
    # --- refusal ------------------------------------------------------------------------------------------------------
    (Sign.DENIAL, 0.85, ""): """
        ^ so|oh|and|sorry|um|uh|well|but no $ / no thanks / no thank you / not interested / absolutely not
        definitely not / of course not / certainly not / no way / not a chance / forget it / i refuse / i will pass
        i would pass / i pass $ / hard pass / i decline / count me out / i would rather not / i am not going to
        i would not @act / i would not be @willing|able|@doing|interested / i do not want|wish|intend|plan|care to
        not want to @act / i can not @act / i decided not|against / not going to happen
        that is wrong|incorrect / ^ wrong / ^ incorrect / not what i said|meant|asked
        that is not right|correct|it|what / <none> / @nothing dollars|cents / cancel it|that|my|the
        i changed my mind / changed my mind / keep my money / i can not $ / i can not do
        i do not want it|that|this|to|any / i really can not
        i am not giving|paying|buying|doing|donating|interested|signing / ^ never $ / ^ never mind / nevermind
        ^ no / i am not able to? / i am unable to? / i can not make any|a @deal / i am not making|going|@doing
        i will not be @doing|able|making|needing|interested / i do not want|wish $
        i do not want|wish anything|more|your|a|one|this / ^ i will not $ / i will not @act
        i will not make|need|until|change|agree / i am not @willing to / i will|would probably|likely? not
        i am not comfortable @doing / i refuse to / i do not feel comfortable @doing / i just? do not feel
        i do not have any interest / i need to say no / it is a no / my answer is no / still no
    """,
    (Sign.DENIAL, 0.6, ""): """
        i do not think so / not that i know|recall|remember|am / can not say i have|do / not as of / i know nothing
        not really $ / ^ not really / ^ not at all / not at all $ / ^ not exactly / ^ not quite / not currently $
        ^ not currently
    """,
    (Sign.DENIAL, 0.6, "asked"): """
        ^ not yet / ^ not $ / ^ i have|do|am|did|would|was|will|could not $
        ^ i have|do|am|did|would|was|will|could not either|yet|really $ / ^ i have|did|do|am|was|had not
        ^ i can not / i have not @heard / i have never @heard|been / never @heard of / not @heard of / not familiar
        i am not familiar / i do not have any|a|one / ^ not much / do not know anything|much|a|that|about
        i do not usually|typically|normally|often / i almost never / ^ none / ^ neither / ^ never
        i actually have not / have|know i have not / i do not recall|remember
        ^ it|they|he|she is|does|do|are|has|have|did|was not / ^ a little bit? but not / i have nothing
    """,
    (Sign.DENIAL, 0.6, "offered"): """
        i am good|fine|okay|all $ / i am all set / i am good|fine|okay thanks|thank
        ^ i think i am good|fine|okay $ / ^ not for me / ^ no need / i prefer not / ^ i would not $
        i like to keep my
    """,
    # --- doubt --------------------------------------------------------------------------------------------------------
    (Sign.HESITATION, 0.6, ""): """
        ^ um / ^ uh / ^ hmm / um $ / uh $ / i do not know / do not know yet / not sure / not certain
        not quite sure / i think about it / let me think / need to think / have to think / will think about it|that
        think it over / think about it / sleep on it / on the fence / it depends / depends on / hard to say
        undecided / torn / not decided / not made up / hard to decide / i wonder if / could go either
        get back to you / no idea / i am not too sure / have not decided / maybe / perhaps / i am hesitant / well $
        i mean $ / i guess / possibly / might / i suppose / mixed feelings
    """,
    # --- asking -------------------------------------------------------------------------------------------------------
    (Sign.QUESTION, 0.7, ""): """
        ^ @wh @be|@aux|@asked / ^ @aux|am @you / i want to know|ask|learn|understand / i was wondering
        i am wondering / i am curious / i wonder what|where|when|who|how|why
        can|could|would|will you tell|explain|describe|share|send|give|clarify|repeat|say|help|show|provide
        ^ tell me about|what|how|why|where|who|more / please tell me|explain / please explain
        i have a|some|one question|questions / ^ and|but|so|then|okay|well|ah|oh @wh @be|@aux|@asked
        ^ and|but|so|then|okay|or|well @aux @you / may|could|can i ask / any more|other information|details|info
        what about / would|do you mind / where can|do i / how do|would|can i / what do|would|should i
        mind telling|explaining|sharing / come again / say that again / what was that / pardon / excuse me $
        what do you mean / how so / like what / such as $ / which one|ones / how come / what else / who else
        for what / to whom / in what way / i would like|love to know|ask|understand / i will like to know
        is there a|an|any|some / are there any|some|other / i|but always wonder how|what|where|if
        do not know|understand exactly? how|what / any other / i heard that some
        need|like|want a? little? more information|info|details / i need to know|hear|learn
        what|how @aux|many|much @you|of
    """,
    (Sign.QUESTION, 0.7, "eager"): """
        tell me more / tell me a little|bit|more / i would love|like to hear|know|learn|see|find more
        i would love|like to hear|know|learn|find out? about|it / i want to hear|know|learn|find more / please go on
    """,
    # --- exceptions ---------------------------------------------------------------------------------------------------
    (None, 0.0, "exception"): """
        how are|is you|it|everything|your / how are you doing|today / how do you do / how have you been / what is up
        how is it going / you know what / what a|an / i do not know about that / do you know what i mean / you know
        i mean / in the future / in a second|minute|moment / wait for / ^ so|very much / bad for / bad about
        the best of / did you know / how they|it|we / what they / how important|easy|hard|great|nice|good|sad
        do you have a second|moment|minute / you will|would|can|could / no one / not only / not just / if not
        why i|we|they / how about you|yourself / what about you|yourself / and you|yourself|yours $
        what you|they|he|she do|does|did|are|is / i was wondering that / so do i / nice to meet
        nice|good|great speaking|talking|chatting|meeting / thanks|thank you|a lot|so much|very
        ^ okay thanks|thank / great thanks|thank / was great|nice|good talking|chatting|speaking|meeting
        would|do you not think / no problem what|thank|have / do not get me wrong / i am not saying|kidding
        can not believe|imagine|complain|help but / can not say no / not too bad
    """,
}
