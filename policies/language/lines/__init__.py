"""What the core says by default, in the language of a policy."""
