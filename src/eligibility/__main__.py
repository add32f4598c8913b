"""``python -m eligibility``."""

from eligibility.cli import main

if __name__ == "__main__":
    main()
