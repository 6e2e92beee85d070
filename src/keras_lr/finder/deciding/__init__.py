"""Pure rules from curves to a learning rate."""
