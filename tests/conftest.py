"""All tests run with the jaxpr checker on."""

import autotrace

autotrace.config.update("check_jaxprs", True)
