"""Erasures made: which texts say a concept, and the jobs that turn a method of `studio.erasure` into an edit."""
