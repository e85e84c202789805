"""Training: the embedded model's own stages, and (with later work) the LoRA trainer of erasure and preference."""
