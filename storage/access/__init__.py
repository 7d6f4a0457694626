"""Who may get at which store: keys of agents, passwords of components."""
