"""What depends on the language that is spoken: one folder a language."""
