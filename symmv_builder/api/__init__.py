"""What every door of the package calls: the command line, the flows and a person's own Python."""
