# The commands of this repository. There is no logic here: each is what you
# would type.
.PHONY: list check test race fuzz repro golden mutants bench tidy demo

list: ## this list
	@grep -E '^[a-z]+:.* ## ' Makefile

check: ## what must be green before a commit
	test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))"
	go vet ./...
	go test ./...

test: ## the tests
	go test ./...

race: ## the tests under the race detector
	go test -race ./...

fuzz: ## hunt over SEEDS seeds
	go run ./cmd/weir fuzz --seeds $(or $(SEEDS),1000)

repro: ## run again what failed: make repro ARGS="..." with what the report prints
	go run ./cmd/weir repro $(ARGS)

golden: ## rewrite the golden traces; read the diff
	go test ./protocol/protocoltest -rewrite
	git diff --stat

mutants: ## plant each known bug and see it caught
	go run ./cmd/weir mutants

bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

tidy: ## the house rules alone
	go run ./cmd/tidy

demo: ## a bug is planted, found, shrunk and explained
	go run ./cmd/weir demo
