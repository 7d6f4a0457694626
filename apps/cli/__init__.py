"""`agentruns ...`: what people type."""
