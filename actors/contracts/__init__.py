"""What crosses a process: messages of links, what a call is assigned with, errors."""
