"""What the command line does and how it looks; `cli.py` beside this folder puts it together."""
