"""Training: so far the registry, which alone moves the aliases of models, after governance has agreed."""
