"""Format H: the results that OSWorld's runners leave, in their many variants."""
