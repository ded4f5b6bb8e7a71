"""What was heard, and what it adds up to: signals, concerns, slots, readiness."""
