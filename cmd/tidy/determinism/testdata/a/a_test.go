package a

import "time"

var start = time.Now()
