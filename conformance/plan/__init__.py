"""What is asked: cases, presentations and relations, and the requests that a run makes of them."""
