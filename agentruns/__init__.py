"""What an agent imports to record its runs. Needs no store, no driver and no Prefect."""

__version__ = "0.1.0"
