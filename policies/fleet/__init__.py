"""What a cluster decides: admission, capacity, cost, rollouts, restarts. Pure, as the call's core is."""
