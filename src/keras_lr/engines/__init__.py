"""Many training updates in a row, with everything put back afterwards."""
