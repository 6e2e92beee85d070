"""Many training runs as compiled programs."""
