"""One module for each idea that is checked; `verify.py` imports them all."""
