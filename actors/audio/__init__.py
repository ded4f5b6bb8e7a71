"""Telephone audio: mu-law samples, and the sound of one utterance."""
