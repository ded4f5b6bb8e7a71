"""What a language is to the call's core, and how one is found by its name."""
