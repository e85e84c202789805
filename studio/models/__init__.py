"""Model families: each yields the same `ModelBundle`. Import what is needed by module: `tokens`, `card`, `weights`,
`files`, `listing`, `hub` and `estimate` are light, `bundle` and `conditioning` bring torch, `loading` and the families
(`sd`, `sdxl`, `embedded`) bring diffusers and transformers.

A new family is a file with a class registered under the name of its pipeline, and a layout in `card`.
"""
