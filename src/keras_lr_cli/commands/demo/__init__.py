"""`keras-lr demo`: its steps, its data and the figure of its training."""
