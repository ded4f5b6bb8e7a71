"""Speech engines: the port, the hosts that calls connect to, both as Serve deployments, and the present engines.

An engine is a folder (`moonshine/`, `piper/`, `command_line/`) or somebody else's package. Sound in any format
(`sound.py`) is here too. Nothing of calls or conversations.
"""
