"""One run, from the options to the record; the record of deviations kept up with it."""
