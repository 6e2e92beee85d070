"""Pictures, pages and text from plain data. Imports no Schedule, FindResult or Comparison."""
