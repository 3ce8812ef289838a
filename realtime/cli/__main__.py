"""``mer-live``, and ``python -m mer_live.realtime.cli``."""

from mer_live.engines.entry import enter


def main() -> None:
    """Entry point of the ``mer-live`` command."""
    enter("mer_live.realtime.cli.main")


if __name__ == "__main__":
    main()
