"""``mer-train``, and ``python -m mer_live.training.cli``."""

from mer_live.engines.entry import enter


def main() -> None:
    """Entry point of the ``mer-train`` command."""
    enter("mer_live.training.cli.main")


if __name__ == "__main__":
    main()
