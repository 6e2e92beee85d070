"""Measures curves: batches, holdout, prechecks, the ladder of rates, ramps and sprints."""
