"""A loss of your own, judged in your process: `assert_conforms` and `measure`."""
