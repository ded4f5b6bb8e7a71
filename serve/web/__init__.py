"""The web: API, webhooks, console, and what they ask of the inside."""
