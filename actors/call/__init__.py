"""One live call, in its own process: what it hears and says, its state and timers, who may talk to it, its end."""
