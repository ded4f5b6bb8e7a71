"""How a call is led: `machine.step`, who picked up, turn-taking, silence, presence, limits."""
