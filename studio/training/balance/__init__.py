"""Balancing: a concept's pictures get attributes in wanted proportions (studio.erasure.balance), as an edit."""
