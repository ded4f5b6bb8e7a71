"""Scripted callers that speak a carrier's protocol, as a carrier would."""
