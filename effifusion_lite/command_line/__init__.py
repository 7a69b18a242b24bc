"""The command `effifusion`: a parser, and a module for each of its commands.

Chapter: 10 Out of the notebook.
"""
