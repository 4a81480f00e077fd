# The commands of this repository. There is no logic here: each is what you
# would type.
.PHONY: list check test race fuzz repro golden mutants bench demo conformance soak

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

golden: ## rewrite the golden traces and the README's failure; read the diff
	go test ./protocol/protocoltest -rewrite
	go test ./sim/simtest -run '^TestTheReadmeInAModuleOutside$$' -rewrite
	git diff --stat

mutants: ## plant each known bug and see it caught
	go run ./cmd/weir mutants

bench: ## the benchmarks of DESIGN's goals, into reports/bench/latest.txt
	go test -run '^$$' -bench '^Benchmark(Seam|Engine|Sim|Loop|ReadModifyWrite|Freeze|Encode|Merge|Fused|ExactlyOnce)$$' -benchmem ./protocol/task ./runtime/engine ./scenarios ./sim ./protocol/state/... . ./checker | tee reports/bench/latest.txt

demo: ## the job on a broker, killed, verified, replayed, and hunted
	go run ./cmd/weir demo

conformance: ## all promises in every world, on real Kafka and S3 too, into reports/fidelity.md; needs Java 17 and Maven; ARMS="minio" for some
	runtime/conformance/arms.sh $(ARMS)

soak: ## two jobs on Kafka and S3 through drawn troubles: MINUTES=60 SEED=1 BROKERS=3
	runtime/conformance/kafka.sh install
	runtime/conformance/s3.sh install
	runtime/conformance/toxiproxy.sh install
	WEIR_CONFORMANCE=kafka,s3,soak go test -count=1 -timeout 0 -v ./runtime/conformance -run '^TestSoak$$' \
		-soak.minutes $(or $(MINUTES),10) -soak.seed $(or $(SEED),1) -soak.brokers $(or $(BROKERS),3) -soak.log $(or $(LOG),soak.log)
