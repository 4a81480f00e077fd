package main

import (
	"strings"

	"weir/protocol/devicetest"
)

// arms are the worlds whose tests are recorded, each in a file.
var arms = []string{"virtual", "embedded", "kafka-3.9.2", "kafka-4.1.1", "kafka-4.3.0-tv1", "kafka-4.3.0-tv2", "kafka-4.3.0-tv2-3", "versitygw", "minio"}

// column is one world in a table: where its verdicts are, and what its tests are called.
type column struct {
	arm   string
	title string
	tests func(promise string) []string // package and test; none: it is not asked
	kind  string                        // of devicetest's rows, as this world answers them
}

// table is one kind of promise.
type table struct {
	title, about string
	promises     []string
	columns      []column
}

// sub is the name that go test gives to a subtest.
func sub(name string) string { return strings.ReplaceAll(name, " ", "_") }

func under(parents ...string) func(string) []string {
	return func(promise string) (out []string) {
		for _, p := range parents {
			out = append(out, p+"/"+sub(promise))
		}
		return out
	}
}

// releases are the virtual broker's, by the names of its tests.
var releases = []string{"3.9", "4.x-TV1", "4.1", "4.3"}

func kafkas(tests func(string) []string) []column {
	return []column{
		{arm: "kafka-3.9.2", title: "3.9.2", tests: tests, kind: devicetest.Before},
		{arm: "kafka-4.1.1", title: "4.1.1", tests: tests, kind: devicetest.Earlier},
		{arm: "kafka-4.3.0-tv1", title: "4.3.0 TV1", tests: tests, kind: devicetest.Before},
		{arm: "kafka-4.3.0-tv2", title: "4.3.0 TV2", tests: tests, kind: devicetest.Kafka},
		{arm: "kafka-4.3.0-tv2-3", title: "4.3.0 TV2, three", tests: tests, kind: devicetest.Kafka},
	}
}

// tables are those whose rows are tests of the same name everywhere.
func tables() []table { return []table{logTable(), codeTable(), bucketTable()} }

func logTable() table {
	suites := []string{}
	for _, r := range releases {
		suites = append(suites, "sim/broker TestPromises/"+r)
	}
	return table{
		title:    "The log",
		about:    "`devicetest.TestLog`: `TestPromises` of sim/broker, on each of its releases; `TestSuiteOnKfake` of runtime/kafka; `TestLogOnKafka` of runtime/conformance, each process of which is one that SIGKILL ends.",
		promises: texts(devicetest.LogPromises()),
		columns: append([]column{
			{arm: "virtual", title: "virtual", tests: under(suites...)},
			{arm: "embedded", title: "kfake", tests: under("runtime/kafka TestSuiteOnKfake")},
		}, kafkas(under("runtime/conformance TestLogOnKafka"))...),
	}
}

func codeTable() table {
	rows := map[string]devicetest.Row{}
	var names []string
	for _, r := range devicetest.Rows(devicetest.Kafka) {
		rows[r.Name], names = r, append(names, r.Name)
	}
	virtual := func(name string) (out []string) {
		for _, r := range releases {
			if r != "3.9" || !rows[name].Needs("5") {
				out = append(out, "sim/broker TestCodes/"+r+"/"+sub(name))
			}
		}
		return out
	}
	real := func(name string) []string {
		if rows[name].Slow() {
			return []string{"runtime/conformance TestCodesOfTime/rows/" + sub(name)}
		}
		return []string{"runtime/conformance TestCodesOnKafka/rows/" + sub(name)}
	}
	return table{
		title:    "What coordinators answer",
		about:    "Rows of requests and answers, and the cells of the table of EndTxn, in protocol/devicetest/testdata: `TestCodes` of sim/broker, on each release, before and after the markers are written; `TestCodesOnKfake`, `TestCodesOnKafka` and `TestCodesOfTime` of runtime/conformance.",
		promises: names,
		columns: append([]column{
			{arm: "virtual", title: "virtual", tests: virtual},
			{arm: "embedded", title: "kfake", tests: under("runtime/conformance TestCodesOnKfake/rows"), kind: devicetest.Fake},
		}, kafkas(real)...),
	}
}

func bucketTable() table {
	return table{
		title:    "The bucket",
		about:    "`devicetest.TestStore`: `TestPromises` of sim/bucket; `TestConformanceInMemory` (the adapter on the virtual bucket) and `TestConformanceGofakes3` of runtime/s3; `TestConformance` of runtime/localfs; `TestBucketOnS3` of runtime/conformance.",
		promises: texts(devicetest.StorePromises()),
		columns: []column{
			{arm: "virtual", title: "virtual", tests: under("sim/bucket TestPromises")},
			{arm: "embedded", title: "adapter on virtual", tests: under("runtime/s3 TestConformanceInMemory")},
			{arm: "embedded", title: "gofakes3", tests: under("runtime/s3 TestConformanceGofakes3")},
			{arm: "embedded", title: "folder", tests: under("runtime/localfs TestConformance")},
			{arm: "versitygw", title: "versitygw", tests: under("runtime/conformance TestBucketOnS3")},
			{arm: "minio", title: "MinIO", tests: under("runtime/conformance TestBucketOnS3")},
		},
	}
}

func texts(promises []devicetest.Promise) (out []string) {
	for _, p := range promises {
		out = append(out, string(p))
	}
	return out
}

// named are all tests that any row names.
func named(items []item) map[string]bool {
	out := map[string]bool{}
	for _, tab := range tables() {
		for _, c := range tab.columns {
			for _, p := range tab.promises {
				for _, t := range c.tests(p) {
					out[t] = true
				}
			}
		}
	}
	for _, it := range items {
		for _, t := range it.tests {
			out[t] = true
		}
	}
	return out
}
