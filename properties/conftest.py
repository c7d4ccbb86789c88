"""Shape annotations of the methods are checked at run time in these tests (jaxtyping, beartype)."""

from jaxtyping import install_import_hook

install_import_hook(("wnverify.methods", "wnverify.primitives"), "beartype.beartype")
