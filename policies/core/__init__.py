"""What a call is made of: its state, its events, its commands, its policy, and how they are written down."""
