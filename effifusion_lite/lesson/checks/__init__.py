"""Checks of the exercises: one module for each chapter, functions named `check_<exercise>`.

A check runs the reader's function on random input, compares it with the package, prints what it
found in plain words, and returns True or False. It never stops the notebook; with `strict=True` it
raises `report.CheckFailed` instead, for a grader.
"""
