"""Measures the curves: batches, holdout, prechecks, the ladder of rates, and the ramps and sprints themselves."""
