"""What alignment does on Stencil, by taste and objective: labels simulated, edits trained, and their wins counted."""
