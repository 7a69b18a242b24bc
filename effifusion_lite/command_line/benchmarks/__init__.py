"""Speed and memory, measured on the machine at hand: `effifusion benchmark`.

Speeds are compared inside one run, turn by turn, since the load of a machine changes from minute to
minute. Weights are random where no others are named: what they are does not change the time.

Chapter: 10 Out of the notebook.
"""
