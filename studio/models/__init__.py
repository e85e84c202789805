"""Model families: each yields the same `ModelBundle`. Import what is needed by module: `tokens` and `card` are light,
`bundle` brings torch, `embedded` brings diffusers and transformers.
"""
