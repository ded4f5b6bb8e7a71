"""How a part that a package brings is found by its name: carriers, speech engines, languages."""
