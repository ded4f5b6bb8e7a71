"""A synthesizer made of a program that speaks one phrase at a time: phrases cut, queued, made once and kept."""
