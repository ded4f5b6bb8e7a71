"""Policies that are tried: on recorded calls, on simulated ones, and beside live ones without doing anything."""
