"""The transforms as users call them: pytrees in, pytrees out."""
