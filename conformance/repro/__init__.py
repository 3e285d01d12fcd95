"""From a finding to a report: shrink its inputs, write a script of the framework alone, see it fail, describe it."""
