"""The console script `keras-lr`."""
