"""How answers look: on a terminal, as a page."""
