"""What may fail and be retried: thin Prefect tasks, one call each."""
