"""``mer-bench``, and ``python -m mer_live.benchmarks``."""

from mer_live.engines.entry import enter


def main() -> None:
    """Entry point of the ``mer-bench`` command."""
    enter("mer_live.benchmarks.cli")


if __name__ == "__main__":
    main()
