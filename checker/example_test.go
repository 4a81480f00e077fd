package checker_test

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"weir/checker"
)

// input is a committed record of topic orders.
func input(partition int32, offset, at int64, key, value string) checker.Input {
	return checker.Input{Topic: "orders", Partition: partition, Offset: offset, At: at, Key: []byte(key), Value: []byte(value)}
}

// fetched is a fetch of a whole partition by one reader, one record per offset: key, value, key, value.
func fetched(topic string, at int64, pairs ...string) checker.Fetch {
	f := checker.Fetch{Reader: "outsider", Topic: topic, Call: at, Return: at + 1}
	for i := 0; i < len(pairs); i += 2 {
		f.Records = append(f.Records, checker.Record{Offset: int64(i / 2), Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return f
}

// A job that copies every record. The id of an effect is the whole value, so its content is checked too.
func Example_copy() {
	spec := checker.Spec{
		Expect: func(in *checker.Input, out []checker.Effect) []checker.Effect {
			return append(out, checker.Effect{Topic: "copies", ID: in.Value, Key: in.Key})
		},
		Observe: func(topic string, r *checker.Record) ([]byte, bool) { return r.Value, topic == "copies" },
	}
	h := &checker.History{
		Inputs:   []checker.Input{input(0, 0, 10, "ann", "tea"), input(0, 1, 20, "bob", "jam"), input(0, 2, 30, "ann", "oil")},
		Fetches:  []checker.Fetch{fetched("copies", 100, "ann", "tea", "bob", "jam", "ann", "oil", "bob", "jam")},
		Complete: true,
	}
	fmt.Println(checker.Check(h, spec))
	// Output:
	// fail, 1 doubled
	//   doubled: output "jam" is there 2 times where it is owed 1 times
	//     input orders/0 offset 1, appended at 20
	//     reader outsider got copies/0 offset 1, fetch from 100 to 101
	//     reader outsider got copies/0 offset 3, fetch from 100 to 101
}

// A job that counts the records of each key, with one output for each. All inputs of a key count alike: linear time.
func Example_count() {
	spec := checker.Spec{Folds: []checker.Fold{{
		Topic: "counts",
		Key:   func(in *checker.Input) ([]byte, bool) { return in.Key, true },
		Order: checker.Alike,
		Apply: func(state []byte, _ *checker.Input) (next, value []byte) {
			n, _ := strconv.Atoi("0" + string(state))
			next = strconv.AppendInt(nil, int64(n+1), 10)
			return next, next
		},
	}}}
	h := &checker.History{
		Inputs:   []checker.Input{input(0, 0, 10, "ann", "tea"), input(1, 0, 20, "ann", "jam"), input(0, 1, 30, "ann", "oil")},
		Fetches:  []checker.Fetch{fetched("counts", 100, "ann", "1", "ann", "3")},
		Complete: true,
	}
	fmt.Println(checker.Check(h, spec))
	// Output:
	// fail, 1 lost
	//   lost: topic counts, key "ann": after 1 values that fit, value "2", which should be next, is missing, and "3" follows
	//     input orders/1 offset 0, appended at 20
	//     reader outsider got counts/0 offset 0, fetch from 100 to 101
	//     reader outsider got counts/0 offset 1, fetch from 100 to 101
}

// A job with two sinks: both or neither must get an input's effect.
func Example_twoSinks() {
	spec := checker.Spec{
		Expect: func(in *checker.Input, out []checker.Effect) []checker.Effect {
			return append(out, checker.Effect{Topic: "bills", ID: in.Value}, checker.Effect{Topic: "parcels", ID: in.Value})
		},
		Observe: func(_ string, r *checker.Record) ([]byte, bool) { return r.Value, true },
	}
	h := &checker.History{
		Inputs:   []checker.Input{input(0, 0, 10, "ann", "tea"), input(0, 1, 20, "bob", "jam")},
		Fetches:  []checker.Fetch{fetched("bills", 100, "ann", "tea", "bob", "jam"), fetched("parcels", 100, "ann", "tea")},
		Complete: true,
	}
	fmt.Println(checker.Check(h, spec))
	// Output:
	// fail, 1 torn
	//   torn: one input has several effects: output "jam" in topic bills appeared, and output "jam" in topic parcels is missing for good
	//     input orders/0 offset 1, appended at 20
	//     reader outsider got bills/0 offset 1, fetch from 100 to 101
}

// A job that chains hashes: the order of the inputs matters. The two partitions may be mixed in any way, but each keeps
// its order, and some such order must explain what was seen. Here the job writes only now and then, so that the order
// has to be searched for.
func Example_hashChain() {
	link := func(state []byte, in *checker.Input) (next, value []byte) {
		h := sha256.Sum256(append(append([]byte(nil), state...), in.Value...))
		return h[:4], fmt.Appendf(nil, "%x", h[:4])
	}
	spec := checker.Spec{Folds: []checker.Fold{{
		Topic: "chains",
		Key:   func(in *checker.Input) ([]byte, bool) { return in.Key, true },
		Apply: link,
		Emit:  checker.EmitLast,
	}}}
	ins := []checker.Input{input(0, 0, 10, "ann", "tea"), input(0, 1, 20, "ann", "jam"), input(1, 0, 30, "ann", "oil"), input(1, 1, 40, "ann", "rye")}
	for _, order := range [][]int{{2, 0, 3, 1}, {2, 1, 3, 0}} { // the second takes partition 0 backwards
		var state []byte
		var values []string
		for n, i := range order {
			var value []byte
			if state, value = link(state, &ins[i]); n%2 == 1 {
				values = append(values, "ann", string(value))
			}
		}
		h := &checker.History{Inputs: ins, Fetches: []checker.Fetch{fetched("chains", 100, values...)}, Complete: true}
		v := checker.Check(h, spec)
		fmt.Println(v.Result, v.Tally)
	}
	// Output:
	// pass []
	// fail [{reordered 1}]
}
