"""``mer-engine``, and ``python -m mer_live.engines``."""

from mer_live.engines.entry import enter


def main() -> None:
    """Entry point of the ``mer-engine`` command."""
    enter("mer_live.engines.cli")


if __name__ == "__main__":
    main()
