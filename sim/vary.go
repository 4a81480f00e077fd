package sim

import (
	"weir/faults"
	"weir/protocol"
)

// Vary draws a seed's variation of a configuration: rare settings find what the usual ones hide. Times of detection and
// of restart are the base's; what it returns is valid if the base is.
func Vary(c *faults.Choice, base protocol.Config) protocol.Config {
	s, v := c.Stream("config"), base
	v.Parallelism = 1 + s.Pick(max(3, base.Parallelism))
	v.KeyGroups = max(v.Parallelism, 1+s.Pick(max(16, base.KeyGroups)))
	v.BatchRecords = int(s.Spread(1, int64(base.BatchRecords)))
	v.Credit = int(s.Spread(1, int64(base.Credit)))
	v.Tolerable = s.Pick(4)
	v.Retained = 1 + s.Pick(3)
	v.Interval = protocol.Duration(s.Between(int64(base.Interval/8), int64(base.Interval)))
	v.Local = c.Stream("copies").Chance(1, 2)
	least := 2 * (v.Interval*protocol.Duration(1+v.Tolerable) + v.Timeout)
	v.TxnTimeout = least + protocol.Duration(s.Spread(0, int64(max(0, base.TxnTimeout-least))))
	return v
}
