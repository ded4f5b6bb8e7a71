"""Calls on virtual time for tests: of the core, of an agent, of a whole policy. Public as `offhook.testing`."""
