"""`make renew`: write what is not up to date, and name it."""

from tools.renew import everything

if __name__ == "__main__":
    for name in everything.write(everything.changes()):
        print(name)
