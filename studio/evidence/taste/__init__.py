"""Personal reward models, tried on pictures of Stencil with annotators whose taste is known exactly."""
