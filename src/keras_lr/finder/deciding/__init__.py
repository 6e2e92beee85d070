"""Pure rules that read a learning rate from curves."""
