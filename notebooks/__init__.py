"""The chapters of the series, and the program that builds them from their sources."""
