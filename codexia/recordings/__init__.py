"""Recorded exchanges: what is in one, what is taken out of it, and how one is played again."""
