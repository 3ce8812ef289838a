"""What measures: latency, throughput, decision delay, spotting."""
