"""``mer-web``, and ``python -m mer_live.realtime.web``."""

from mer_live.engines.entry import enter


def main() -> None:
    """Entry point of the ``mer-web`` command."""
    enter("mer_live.realtime.web.cli")


if __name__ == "__main__":
    main()
