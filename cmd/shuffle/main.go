package main

import (
	"weir/runtime/host"
	"weir/scenarios/jobs"
)

func main() { host.Main(jobs.Shuffle().Factory) }
