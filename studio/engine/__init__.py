"""The engine: the one denoising loop, the process that owns the models, and the backends that drive it.

`events`, `board`, `backend` and `process` are light: the page process imports them and never torch's friends.
`sampler`, `runner` and `worker` are what runs beside the models.
"""
