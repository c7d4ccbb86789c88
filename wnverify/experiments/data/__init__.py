"""The samples that networks are trained on: drawn, embedded, or read from a directory that the user names."""
