"""What the core says in English where a policy has no line of its own. `{act}` = what the policy calls the act."""

from __future__ import annotations

LINES = {
    "gate.approval": "One moment, please. I have to ask a colleague about that.",
    "gate.unapproved": "I am sorry, I could not get that confirmed just now.",
    "gate.withdrawn": "All right. I have stopped {act}.",
    "gate.regretted": "I am sorry, {act} had already gone through.",
    "gate.done": "That is done: {act}.",
    "gate.failed": "I am sorry, {act} did not go through.",
    "silence.reassure": "Take your time.",
    "silence.clarify": "Shall I put that another way?",
    "silence.check": "No rush. I'm still here.",
    "silence.reengage": "Are you still with me?",
    "silence.help": "Would it help if I sent you the details in writing?",
    "silence.close": "I seem to have lost you. I will try again another time. Goodbye.",
    "presence.check": "Hello? If you can hear me, please say yes, or press any key.",
    "presence.on_hold": "I cannot wait any longer. I will try again another time. Goodbye.",
    "presence.menu": "",
    "presence.nobody_there": "I do not think that you can hear me. I will try again another time. Goodbye.",
    "arbitration.fallback_line": "Sorry, could you say that again?",
    "escalation.transfer_line": "One moment, please. I will connect you with a colleague.",
    "limits.warning_line": "Just so you know, we have about a minute left.",
    "limits.unanswered_line": "I am afraid nobody can take your call just now. Is there anything else that I can do?",
    "limits.goodbye_line": "Thank you for your time. Goodbye.",
    "limits.unheard_line": "I am sorry, I cannot hear you well just now. One moment, please.",
}
