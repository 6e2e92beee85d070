"""Execute the runs of a plan."""
