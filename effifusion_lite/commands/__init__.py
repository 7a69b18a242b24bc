"""The commands of `effifusion`, a module for each."""
