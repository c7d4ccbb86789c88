"""Ways to know the right answer that share no code with what is judged."""
