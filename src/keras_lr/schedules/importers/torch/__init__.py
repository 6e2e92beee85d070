"""PyTorch's schedulers, by name or as live objects."""
