package scenarios

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/job"
)

// taskNames names a plan's tasks as users do: stage[index].
func taskNames(p *job.Plan) func(protocol.TaskID) string {
	return func(id protocol.TaskID) string {
		if id == 0 || int(id) > len(p.Tasks) {
			return fmt.Sprintf("task-%d", id)
		}
		t := p.Tasks[id-1]
		return fmt.Sprintf("%s[%d]", p.Graph.Stages[t.Stage].ID, t.Index)
	}
}
