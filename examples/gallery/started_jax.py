"""JAX once started: its import and its first computation alter the process, which a check would be blamed for."""

from __future__ import annotations

import equinox  # noqa: F401
import jax
import jax.numpy as jnp
import optax  # noqa: F401

jax.config.update("jax_enable_x64", True)
jnp.zeros(1).block_until_ready()
