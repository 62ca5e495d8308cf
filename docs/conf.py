"""Settings of sphinx; `build.py` makes the folder in which this is read."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

project = "graphc"
author = copyright = "the authors of graphc"
html_title = "graphc"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "live"]
exclude_patterns = ["users"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_show_sourcelink = False
highlight_language = "text"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"
suppress_warnings = ["misc.highlighting_failure"]
