"""Worker processes that execute runs, and how they are watched."""
