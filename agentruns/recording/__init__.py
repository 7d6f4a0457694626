"""How agents write: commands and folders become records on their way to the stores."""
