"""Lets the world in, and composes everything: gateway, carriers, API, speech engines, softphone, command line.

Nothing is imported here: a process loads what it runs and no more.
"""
