"""SA-AT: style aggregation and attention transfer (Zhou, Mao, Xue 2019)."""
