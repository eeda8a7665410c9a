"""Measurements of Codexia from outside; see README.md beside this file."""
