"""Write kills.yaml anew: `python -m tests.miniatures.renew`.  Read the difference before committing it."""

from __future__ import annotations

from tests.miniatures import kills

if __name__ == "__main__":
    matrix = kills.kills(kills.run())
    kills.MATRIX.write_text(kills.written(matrix))
    for file, names in sorted(kills.sole(matrix).items()):
        print(f"{file} alone catches {', '.join(names)}")
