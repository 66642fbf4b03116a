package secrets

import (
	"fmt"
	"regexp"
	"strings"
)

// Rule lets profiles use references. Whoever may write a profile may have every
// secret delivered that it may use: rules are as narrow as the writers' trust.
type Rule struct {
	Profiles   string   // glob of names
	References []string // globs of references; {profile} is the profile's name
}

func notAllowed(provider, name string) string {
	return fmt.Sprintf("%s: no rule of secrets.allow lets %s use this reference", provider, name)
}

func allowed(rules []Rule, name, ref string) bool {
	for _, rule := range rules {
		if !glob(rule.Profiles, name) {
			continue
		}
		for _, pattern := range rule.References {
			if glob(strings.ReplaceAll(pattern, "{profile}", name), ref) {
				return true
			}
		}
	}
	return false
}

// glob matches a whole text: * is any run of characters but / and #, ** any at all.
func glob(pattern, text string) bool {
	var b strings.Builder
	b.WriteString(`\A`)
	for pattern != "" {
		if rest, ok := strings.CutPrefix(pattern, "**"); ok {
			b.WriteString(`(?s:.*)`)
			pattern = rest
			continue
		}
		if rest, ok := strings.CutPrefix(pattern, "*"); ok {
			b.WriteString(`[^/#]*`)
			pattern = rest
			continue
		}
		next := strings.IndexByte(pattern, '*')
		if next < 0 {
			next = len(pattern)
		}
		b.WriteString(regexp.QuoteMeta(pattern[:next]))
		pattern = pattern[next:]
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	return err == nil && re.MatchString(text)
}
