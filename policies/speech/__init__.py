"""Who speaks: the floor, the caller's turn, the agent's utterances, and how this caller talks."""
