"""The statistics of a comparison: pure functions of scores."""
