"""`python -m app.main`: the command line, for processes that start others with the interpreter they run in."""

from app.cli import main

if __name__ == "__main__":
    main()
