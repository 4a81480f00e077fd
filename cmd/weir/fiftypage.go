package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"weir/protocol"
	"weir/scenarios"
)

//go:embed fifty.md.tmpl
var fiftyTemplate string

// page is the study as one page of Markdown; the same study gives the same page.
func (s *fiftyStudy) page() string {
	t := template.Must(template.New("fifty").Funcs(template.FuncMap{
		"seconds": seconds, "millis": millis, "mega": mega, "giga": giga, "result": s.outcome,
	}).Parse(fiftyTemplate))
	m := s.fifty.Model
	var b strings.Builder
	err := t.Execute(&b, map[string]any{
		"F": s.fifty, "M": m, "Seed": hex(s.seed), "State": float64(s.fifty.StateBytes()) / 1e12, "Keys": float64(int64(1)<<s.fifty.Octaves) / 1e6,
		"Entries": int64(1) << s.fifty.Octaves / s.fifty.Weight, "Records": float64(s.fifty.Rate) / float64(s.fifty.Weight),
		"Rows": s.rows(s.results[:len(s.results)-len(fiftyIntervals)]), "Intervals": s.rows(s.intervals()), "Example": s.row(&s.results[0]),
		"Costs": m.EventCosts, "Busy": s.loadOfCPU() * float64(s.fifty.Workers), "Others": s.fifty.Workers - 1,
	})
	if err != nil {
		panic(err) // the template and its data are ours
	}
	return b.String()
}

// fiftyRow is a result as the page tells it.
type fiftyRow struct {
	scenarios.FiftyResult
	Decided, Worst, Sealed, AlignedMost, AlignedMean protocol.Duration
	Changed                                          int64   // per checkpoint, mean
	PerSecond                                        int64   // bytes
	Cores                                            float64 // that encoding keeps busy, of all workers'
	Encoding, Waiting, Overhead                      float64 // per cent
}

func (s *fiftyStudy) rows(list []scenarios.FiftyResult) (rows []fiftyRow) {
	for i := range list {
		rows = append(rows, s.row(&list[i]))
	}
	return rows
}

func (s *fiftyStudy) row(r *scenarios.FiftyResult) fiftyRow {
	w := fiftyRow{FiftyResult: *r}
	n := protocol.Duration(max(1, len(r.Checkpoints)))
	for _, c := range r.Checkpoints {
		w.Decided += c.Decided / n
		w.Sealed += c.Sealed / n
		w.Worst = max(w.Worst, c.Decided)
		w.AlignedMost = max(w.AlignedMost, c.Aligned)
		w.AlignedMean += c.AlignedTotal / n / protocol.Duration(s.fifty.Workers)
		w.Changed += c.Changed / int64(n)
	}
	w.PerSecond = w.Changed / int64(r.Case.Interval/protocol.Second)
	w.Cores = float64(w.PerSecond) / float64(s.fifty.Model.Encode) / 1e6
	w.Encoding = 100 * w.Cores / (s.loadOfCPU() * float64(s.fifty.Workers))
	w.Waiting = 100 * float64(w.AlignedMean) / float64(r.Case.Interval)
	w.Overhead = w.Encoding + w.Waiting
	return w
}

// loadOfCPU is how many cores the events of one worker's share keep busy.
func (s *fiftyStudy) loadOfCPU() float64 {
	var cost protocol.Duration
	for _, c := range s.fifty.Model.EventCosts {
		cost += c
	}
	return float64(cost) / 1e9 * float64(s.fifty.Rate) / float64(s.fifty.Workers)
}

func (s *fiftyStudy) outcome(r fiftyRow) string {
	if why := s.fifty.Broken(&r.FiftyResult); why != "" {
		return "FAIL: " + why
	}
	return fmt.Sprintf("%d of %d, pass", r.Exact, s.fifty.Partitions)
}

func seconds(d protocol.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e9) }

func millis(d protocol.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e6) }

func mega(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func giga(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e9) }
