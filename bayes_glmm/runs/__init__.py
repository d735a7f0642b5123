"""From a config file to a run directory."""
