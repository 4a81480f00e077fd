package kafka

import (
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestLowestLimit: a transaction's coordinator may be any broker, so that the lowest limit is the cluster's; a broker that
// does not tell makes it unknown.
func TestLowestLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	silent := false
	limits := map[string]string{"0": "900000", "1": "600000"}
	w.cluster.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.DescribeConfigsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.Resources {
			one := kmsg.NewDescribeConfigsResponseResource()
			one.ResourceType, one.ResourceName = asked.ResourceType, asked.ResourceName
			if limit := limits[asked.ResourceName]; silent && asked.ResourceName == "1" {
				one.ErrorCode = kerr.ClusterAuthorizationFailed.Code
			} else {
				c := kmsg.NewDescribeConfigsResponseResourceConfig()
				c.Name, c.Value = LimitKey, &limit
				one.Configs = append(one.Configs, c)
			}
			resp.Resources = append(resp.Resources, one)
		}
		return resp, nil, true
	})
	if got, err := w.dev.opts.TimeoutLimit(t.Context()); err != nil || got != 10*time.Minute {
		t.Errorf("%v, %v; want the lower one of %v", got, err, limits)
	}
	silent = true
	if got, err := w.dev.opts.TimeoutLimit(t.Context()); err == nil {
		t.Errorf("%v, though broker 1 does not tell", got)
	}
	silent, limits["0"], limits["1"] = false, strconv.Itoa(1000), "no number"
	if got, err := w.dev.opts.TimeoutLimit(t.Context()); err != nil || got != time.Second {
		t.Errorf("%v, %v", got, err)
	}
}
