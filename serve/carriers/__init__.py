"""Carriers: the port that all of them fit (`port.py`), and a folder each."""
