"""Updates of a model that is borrowed and returned unchanged: what `find` trains."""
