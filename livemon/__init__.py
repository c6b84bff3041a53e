"""The livemon server: it hears, measures and records the calls that a bridge copies to it."""
