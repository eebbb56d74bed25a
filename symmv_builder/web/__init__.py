"""Pages of this machine for a browser: look through datasets, review proposals, watch runs."""
