"""Plain figure and table data in, pictures and pages out. Knows no Schedule, FindResult or Comparison."""
