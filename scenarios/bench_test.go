package scenarios

import (
	"testing"

	"weir/faults"
)

// BenchmarkSeed is one whole seed: world, machines, devices, checks, checker.
func BenchmarkSeed(b *testing.B) {
	for _, s := range All() {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			var steps uint64
			for i := range b.N {
				o := s.Run(uint64(i), Options{Limit: faults.Full()})
				steps += o.Run.Steps
			}
			b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seeds/s")
		})
	}
}
