"""Speech engines: recognizer and synthesizer, each a plain class with a link server, and both as Serve deployments.

Telephone sound (`sound.py`) is here too. Nothing of calls or conversations.
"""
