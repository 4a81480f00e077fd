package main

import (
	"weir/cmd/accesslog/job"
	"weir/runtime/host"
)

func main() { host.Main(job.Job) }
