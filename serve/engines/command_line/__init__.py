"""Synthesizers that are run once a phrase, as commands: flite and espeak-ng."""
