"""How Sphinx builds the site; ``make docs`` runs it."""

import sys
from pathlib import Path

import autotrace

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))

project = "autotrace"
author = "the autotrace developers"
copyright = "the autotrace developers, MIT licence"  # noqa: A001  Sphinx's name
version = release = autotrace.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "autolink",
    "mathml",
    "namespace",
]
exclude_patterns = ["examples/*.py"]

# Pages are Markdown that reads well on a code-hosting site, too: no more of MyST than formulas.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

#: What pages are about: names of these namespaces lead to the reference.
autolink_namespaces = {
    "compiling": ["autotrace.api.compile.JitFunction"],
    "control_flow": ["autotrace.lax"],
    "jit_and_python": ["autotrace.api.compile.JitFunction"],
    "linear_algebra": ["autotrace.scipy.linalg"],
    "adding_a_kernel": ["autotrace.extend"],
    "examples/index": ["autotrace.scipy", "autotrace.scipy.optimize"],
    "nn": ["autotrace.nn", "autotrace.nn.initializers", "autotrace.lax"],
    "numpy_coverage": ["autotrace.numpy", "autotrace.numpy.linalg", "autotrace.numpy.fft"],
    "optimize": ["autotrace.scipy.optimize", "autotrace.scipy.sparse.linalg"],
    "performance": ["autotrace.api.compile.JitFunction"],
    "primitives": ["autotrace.extend"],
    "random": ["autotrace.random"],
    "scipy": [
        "autotrace.scipy.fft",
        "autotrace.scipy.signal",
        "autotrace.scipy.ndimage",
        "autotrace.scipy.interpolate",
        "autotrace.scipy.integrate",
        "autotrace.scipy.cluster.vq",
        "autotrace.scipy.spatial.transform",
    ],
    "sparse": ["autotrace.scipy.sparse.linalg"],
    "special_functions": ["autotrace.scipy.special", "autotrace.scipy.stats"],
}

autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
add_module_names = False
toc_object_entries = False

html_theme = "pydata_sphinx_theme"
html_title = "autotrace"
html_favicon = "static/logo.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
        "text": "autotrace",
    },
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 8,
}
