"""What shows findings: the results format with its schema, and the views made from it (terminal, Markdown, HTML)."""
