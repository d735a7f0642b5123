"""Arrays in, arrays out; knows no statistics."""
