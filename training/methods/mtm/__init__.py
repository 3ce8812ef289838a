"""MTM: MaNet guides MiNet (Xia, Wang; IJCAI 2021)."""
