"""Worker processes that execute runs, and the detection of runs that hang."""
