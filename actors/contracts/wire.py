"""The words spoken on links: who sends which message, with which fields. One line a message; nothing else is sent.

Messages are msgpack arrays whose first element is the name. Audio is mu-law, 8 kHz, mono, in `bytes`. Numbers named
`_ms` are on the call's clock. `epoch` fences: whoever sees a higher one refuses the lower.
"""

from __future__ import annotations

HELLO = "hello"  # the first message of every link: hello, token, then the fields below
BYE = "bye"  # any -> any:            bye, reason: what you sent is refused, this link is closed

# gateway -> call            hello, token, stream (the carrier's stream id), codec ("mulaw8k")[, frames, played]
#                             frames: how many have come in on this stream; played (how far the carrier is in playing):
#                             [last mark sent, ms of sound after it, ms of all that not played yet, 1 = it was cleared]
PAST = "past"  # gateway -> call:      past, seq, bytes: frames acknowledged by a former owner, for ears to warm up on
AUDIO = "a"  # gateway -> call:        a, seq (of the frame, from 0), bytes (one or more 20 ms frames)
MARKED = "marked"  # gateway -> call:  marked, name: the carrier has played everything before that mark
DIGIT = "digit"  # gateway -> call:    digit, "5"[, number (of the key, from 0)]
STOPPED = "stopped"  # gateway -> call: stopped, reason: the carrier ended the stream

# call -> gateway
ACK = "ack"  # call -> gateway:        ack, epoch, seq: frames up to seq are folded and journaled
PLAY = "play"  # call -> gateway:      play, epoch, bytes (mu-law, any whole number of 20 ms frames)
MARK = "mark"  # call -> gateway:      mark, epoch, name: tell when everything before it was played
PACE = "pace"  # call -> gateway:      pace, epoch, frames: so many may travel in one message (1 = none waits)
CLEAR = "clear"  # call -> gateway:    clear, epoch: drop what the carrier still buffers
HANGUP = "hangup"  # call -> gateway:  hangup, epoch, reason
TRANSFER = "transfer"  # call -> gateway: transfer, epoch, target: the stream ends, the call does not yet

# subscriber -> call          hello, token, name, kind ("agent" | "observer"), topics[, since_seq]
NOTICE = "n"  # call -> subscriber:    n, seq, revision, turn, topic, body
INVITE = "invite"  # call -> agent:    invite, turn, revision, reason, deadline_ms, view
ANSWER = (
    "answer"  # agent -> call:    answer, turn, basis, [proposals as codec arrays][, reading, [refusals][, part, more]]
)
#                             (codec arrays too; reading: nil = none; refusals: proposals that cannot be sent, and why;
#                             part: its number, from 0; more: true = others are to come)
REMEMBER = "remember"  # call -> agent: remember, number: what should your successor of another version know?
MEMORY = "memory"  # agent -> call:    memory, number, map, keeps (False = this agent has no memory)
UPGRADE = "upgrade"  # call -> agent:  upgrade, map: begin anew, with this of your predecessor ({} = nothing)
FAILED = "failed"  # agent -> call:    failed, turn, basis, reason[, [step, ...], words]: no answer will come; the agent
#                             is made anew. Steps: the way to the failure, a line each; words: the error's own
GONE = "gone"  # call -> subscriber:   gone, reason: cut off for being slow, or the call is over

# resident (call actor, agent host, gateway) -> supervisor
#                             hello, token, role ("call" | "agents" | "gateway"), name, pid, node, endpoint, running
BEAT = "beat"  # resident -> supervisor: beat, lag_ms (worst of its loop since the last), live (it beats fast)[, changes
#                             of its metrics since it told of them last: [[name, labels, total, buckets], ...]]
JOURNAL = "journal"  # call -> supervisor: journal, [[call, epoch, seq, at_ms, kind, body], ...]
ASSIGNED = "assigned"  # call -> supervisor: assigned, call, epoch, refusal ("" = the call is primed; agents may join)
ENDED = "ended"  # call -> supervisor:  ended, call, epoch, outcome: the actor is a spare again
PERFORM = "perform"  # call -> supervisor: perform, call, epoch, grant, action, [[name, value], ...], key
WITHDRAW = (
    "withdraw"  # call -> supervisor: withdraw, call, epoch, grant, action, [[name, value], ...], key: as perform,
)
#                             to be taken back before its tool begins; answered by performed
ATTACHED = "attached"  # agent host -> supervisor: attached, call, agent, reason ("" = it has its seat at the call)
GAVE_UP = "gave_up"  # agent host -> supervisor: gave_up, call, agent, reason: failed too often, the seat is free
OFFERED = "offered"  # call -> supervisor: offered, call, epoch, version: its doors are open to that version's agents
SWAPPED = "swapped"  # call -> supervisor: swapped, call, epoch, version, refusal ("" = that version leads the call)
REPLY = "reply"  # resident -> supervisor: reply, id, body

# supervisor -> resident
ASSIGN = "assign"  # -> call:          assign, call, epoch, setup (map: see actors/contracts/setup.py)
ATTACH = "attach"  # -> agent host:    attach, call, epoch, agent, endpoint, token
DETACH = "detach"  # -> agent host:    detach, call
SWAP = "swap"  # -> call:              swap, call, epoch, version, policy, tokens (agent -> token), deadline_ms (from
#                             now), at_deadline ("force" | "keep"), clips (the folder of its recordings, "" = none):
#                             let that version lead the call (see swap.py)
JOURNALED = "journaled"  # -> call:    journaled, call, epoch, seq: everything up to seq is safe
JOURNAL_AWAY = "journal_away"  # -> call: journal_away, reason
BEGUN = "begun"  # -> call:            begun, key, grant: the act has left; no withdrawal reaches it any more
PERFORMED = "performed"  # -> call:    performed, key, ok, result[, withdrawn, grant]: the tool's answer, or (withdrawn)
#                             that nothing was done
RETIRE = "retire"  # -> resident:      retire, reason: end the process once nothing is live in it
EVENT = "event"  # -> call:            event, call, codec array: an operator's word (its at_ms is set on arrival)
ENGINES = "engines"  # -> call:        engines, call, [[endpoint, token], ...] of recognizers, the same of synthesizers:
#                             where they are from now on; a link that is open stays
OWNER = "owner"  # -> gateway:        owner, call, epoch, endpoint, token: who has taken the call over
QUERY = "query"  # -> resident:        query, id, what ("state" | "verdicts" | "stats"), arguments

# call -> recognizer          hello, token[, format (of the sound, a name of actors/audio/format.py)]
OPEN = "open"  # open, stream, origin_ms (the call's clock at the stream's first sample)[, options (map)]
SOUND = "sound"  # sound, stream, bytes[, 1 = tell how far you are once this is read]  (and synthesizer -> call: sound,
#                             id, bytes)
CLOSE = "close"  # close, stream
REFUSED = "refused"  # recognizer -> call: refused, stream, reason: it cannot read this stream by its options
WORDS = "words"  # recognizer -> call: words, stream, segment, text, final, started_ms, ended_ms (on the call's clock).
#                             No text and not final: read up to ended_ms, and no word there that was not told

# call -> synthesizer         hello, token[, format]
SPEAK = "speak"  # speak, id, text, voice[, options (map); both maps: see actors/engines/port.py]
CANCEL = "cancel"  # cancel, id
TIMING = "timing"  # synthesizer -> call: timing, id, [[word, end_ms], ...][, 1 = estimated]: for the sound sent next,
#                             offsets in the utterance
SPOKEN = "spoken"  # synthesizer -> call: spoken, id, total_ms: all sound of it was sent
UNSPOKEN = "unspoken"  # synthesizer -> call: unspoken, id, reason
