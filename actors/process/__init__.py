"""What every process of ours has: a clock, a limit of memory, a raylet that may go away."""
