"""Scores of one recording, of many, and what is made of them; see `metrics` and `evaluation`.

Chapter: 05 Losses and metrics, 09 Results and ablations.
"""
