"""From the arguments of `compare` to a plan of runs."""
