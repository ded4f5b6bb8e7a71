"""The synthesizer piper: its program, its voice file."""
