"""``python -m mer_live.realtime.cli``."""

from mer_live.realtime.cli.main import main

main()
