"""Compiled programs: signatures, what each is compiled to, and programs on disk."""
