"""What runs beside a framework, in an interpreter of its own: standard library and NumPy only, Python 3.7 on."""
