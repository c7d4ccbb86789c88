"""How Sphinx builds the documentation; ``make docs`` takes every warning for an error."""

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from wnverify.version import VERSION

sys.path.insert(0, str(Path(__file__).parent))

project = "wnverify"
author = "the wnverify authors"
project_copyright = author
release = version = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "generated"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"wnverify {VERSION}"
html_copy_source = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False

_INITIAL = re.compile(r"^\s*(?=[A-Z]\. )")
_MARKS = re.compile(r"(``.*?``)|(?<=\()\*|\|")


def as_meant(app: Sphinx, what: str, name: str, found: object, options: Any, lines: list[str]) -> None:
    """In docstrings |w| is an absolute value, (*batch, n, d) a shape and a name's initial no number of a list."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[i] = _INITIAL.sub(r"\g<0>\\", _MARKS.sub(lambda mark: mark[1] or "\\" + mark[0], line))


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", as_meant)
