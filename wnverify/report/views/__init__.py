"""Views: pure functions of a results document (``terminal.sheet``, ``markdown.render``, ``html.render``)."""
