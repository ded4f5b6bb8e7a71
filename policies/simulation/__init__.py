"""Whole calls on virtual time, from a seed: generated callers, faults, and checkers that run beside every step.

The only place in `policies/` where chance is allowed: a `random.Random(seed)` that is handed in. Nothing here is used
by a live call.

    run.py        puts a call together from its seed, and sums up many; world.py is what surrounds `step` in it
    caller.py     people as they come, wilful.py those who know what they want; what they mean by it is meaning.py's,
                  how it is put into words wording.py's, what reaches the call of it mouth.py's
    drawn.py      policies; extras.py agents that may not be trusted; operators.py who says yes to what waits for one
    checkers.py   what must hold in every step; freshness.py, consents.py, tellings.py, debt_watch.py and outcomes.py
                  what was promised to the caller, each by the account of events and commands that account.py keeps
    fleet.py      many calls at once, as numbers; chaos.py faults for a system that really runs
"""
