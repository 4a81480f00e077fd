package main

import (
	"bytes"
	"regexp"
)

// checkTexts looks for words that no file of the repository may hold. Those of
// the rules are written here so that this file does not hold them either.
func checkTexts(t *tree) (out breaches) {
	word := regexp.MustCompile(`\b(TO[D]O|FIX[M]E)\b`)
	host := regexp.MustCompile(`(proxy|sum)\.golang[.]org|registry\.(npmjs[.]org|yarnpkg[.]com)|repo1?\.maven\.(apache\.)?org` +
		`|pypi[.]org|files\.pythonhosted[.]org|crates[.]io|(deb|security)\.debian[.](org|net)`)
	// The byte before the slash is no part of a path: a/root/b may pass.
	machine := regexp.MustCompile(`(^|[^\w.~}*/-])/(work|root)/`)
	for _, f := range t.texts {
		if f.ast != nil {
			out.matches(f, "word", word, "do it now, or say in words why it is left")
		}
		out.matches(f, "host", host, "a registry is named in the settings of its client, not in a file")
		out.matches(f, "path", machine, "this path is on somebody's machine only")
	}
	return out
}

func (b *breaches) matches(f *file, rule string, re *regexp.Regexp, why string) {
	if !re.Match(f.src) { // and hence hardly any file is split into lines
		return
	}
	for i, line := range bytes.Split(f.src, []byte("\n")) {
		if m := re.Find(line); m != nil {
			b.add(f.path, i+1, rule, "%s: %s", bytes.TrimSpace(m), why)
		}
	}
}
