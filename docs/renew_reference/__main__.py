"""Write the pages: `python -m docs.renew_reference`."""

from docs.renew_reference import FOLDER, pages

if __name__ == "__main__":
    made = pages()
    for name, text in made.items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for left in set(FOLDER.rglob("*.md")) - {FOLDER / name for name in made}:
        left.unlink()  # a page of what is no longer there
