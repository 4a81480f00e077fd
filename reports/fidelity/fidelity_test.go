package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryPromiseHasARow fails when a promise of devicetest, a row of its tables or an item is neither tested nor
// declared to differ in one of the worlds, and when fidelity.md is not what the verdicts say.
func TestEveryPromiseHasARow(t *testing.T) {
	r, err := read(".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := r.render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("reports/fidelity.md is not what the verdicts say: go run ./reports/fidelity write")
	}
}

// TestTestsAreThere: a verdict of a test that is no more says nothing.
func TestTestsAreThere(t *testing.T) {
	items, err := readItems(".")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for test := range named(items) {
		pack, name, _ := strings.Cut(test, " ")
		name, _, _ = strings.Cut(name, "/")
		if sources[pack] == "" {
			files, _ := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pack), "*_test.go"))
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				sources[pack] += string(text)
			}
		}
		if !strings.Contains(sources[pack], "func "+name+"(t *testing.T)") {
			t.Errorf("%s has no test %s", pack, name)
		}
	}
}

// TestMissingRowFails: the promise that loses its verdict in one world is named.
func TestMissingRowFails(t *testing.T) {
	r, err := read(".")
	if err != nil {
		t.Fatal(err)
	}
	delete(r.verdicts["minio"], "runtime/conformance TestBucketOnS3/store_creates_once")
	if _, err = r.render(); err == nil || !strings.Contains(err.Error(), `The bucket: "store creates once" on MinIO`) {
		t.Fatalf("a promise without a verdict: %v", err)
	}
}

func TestRecord(t *testing.T) {
	const in = `not json
{"Action":"output","Package":"weir/sim/bucket","Test":"TestPromises/store_creates_once","Output":"    because\n"}
{"Action":"fail","Package":"weir/sim/bucket","Test":"TestPromises/store_creates_once"}
{"Action":"pass","Package":"weir/sim/bucket","Test":"TestPromises/delete_is_idempotent_and_makes_room"}
{"Action":"pass","Package":"weir/sim/bucket","Test":"TestOfNoPromise"}
{"Action":"fail","Package":"weir/sim/bucket"}
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "items.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := record(strings.NewReader(in), &out, dir, "virtual")
	if err == nil || !strings.Contains(err.Error(), "sim/bucket TestPromises/store_creates_once") || out.String() != "not json\n    because\n" {
		t.Errorf("error %v, shown %q", err, out.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, "virtual.txt"))
	const want = "pass sim/bucket TestPromises/delete_is_idempotent_and_makes_room\nfail sim/bucket TestPromises/store_creates_once\n"
	if err != nil || string(got) != want {
		t.Errorf("%v: %s", err, got)
	}
	if err := record(strings.NewReader(in), &out, dir, "nowhere"); err == nil {
		t.Error("an arm that is none was recorded")
	}
}
