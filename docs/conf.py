"""Sphinx configuration of the documentation."""

project = "dpps"
author = "The dpps developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "dpps"
source_suffix = {".md": "markdown"}
exclude_patterns = ["requirements.in"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
