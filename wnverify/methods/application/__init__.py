"""A method by its name, applied to a model and taken off again."""
