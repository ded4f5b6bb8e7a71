"""Carriers: one folder each."""
