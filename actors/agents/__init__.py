"""The agent host: a process of one policy version and one kind of agent, with a seat for each call."""
