"""The SQLite store that keeps every finished run."""
