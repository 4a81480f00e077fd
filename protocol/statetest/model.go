package statetest

import (
	"cmp"
	"slices"
	"strings"

	"weir/protocol/state"
	"weir/protocol/state/run"
)

// A pair is a key with its value or a tombstone.
type pair struct {
	key, value string
	tombstone  bool
}

// A model is the naive truth: pairs in ascending order of key.
type model []pair

func (m model) find(key string) (int, bool) {
	return slices.BinarySearchFunc(m, key, func(p pair, key string) int { return strings.Compare(p.key, key) })
}

func (m model) get(key string) (string, bool) {
	if i, ok := m.find(key); ok && !m[i].tombstone {
		return m[i].value, true
	}
	return "", false
}

// set is m with p in the place of what it has under p's key.
func (m model) set(p pair) model {
	i, ok := m.find(p.key)
	if ok {
		m[i] = p
		return m
	}
	return slices.Insert(m, i, p)
}

// apply is m after the changes of d, tombstones kept.
func (m model) apply(d model) model {
	m = slices.Clone(m)
	for _, p := range d {
		m = m.set(p)
	}
	return m
}

// alive is m without tombstones.
func (m model) alive() model {
	return slices.DeleteFunc(slices.Clone(m), func(p pair) bool { return p.tombstone })
}

func (m model) size() (n int) {
	for _, p := range m {
		n += len(p.key) + len(p.value)
	}
	return n
}

// encode is the run that m must be encoded as.
func (m model) encode(groups int) []byte {
	group := func(p pair) int { return state.GroupOf(state.Hash([]byte(p.key)), groups) }
	sorted := slices.Clone(m)
	slices.SortStableFunc(sorted, func(a, b pair) int { return cmp.Compare(group(a), group(b)) })
	w := run.NewWriter(groups)
	for _, p := range sorted {
		e := run.Entry{Key: []byte(p.key), Group: group(p), Tombstone: p.tombstone}
		if !p.tombstone {
			e.Value = []byte(p.value)
		}
		w.Add(e)
	}
	return w.Append(nil)
}
