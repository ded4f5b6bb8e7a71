"""The voice of a call: what the agent says, sent ahead of real time, held, resumed and cut."""
