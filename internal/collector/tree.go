package collector

import (
	"fmt"
	"strings"
	"time"
)

// Tree draws spans as people read a trace: children below their parent, with
// service, duration and outcome. Of brothers of one name only the first most are
// drawn, and the others counted; all of them when most is 0.
func Tree(spans []Span, most int) string {
	t := tree{children: map[string][]Span{}, most: most}
	known := map[string]bool{}
	for _, s := range spans {
		known[s.Trace+s.ID] = true
	}
	for _, s := range spans {
		parent := s.Trace + s.Parent
		if !known[parent] {
			parent = ""
		}
		t.children[parent] = append(t.children[parent], s)
	}
	t.draw("", "")
	return t.out.String()
}

type tree struct {
	children map[string][]Span
	most     int
	out      strings.Builder
}

func (t *tree) draw(parent, indent string) {
	drawn := map[string]int{}
	var left []string
	for _, s := range t.children[parent] {
		if drawn[s.Name]++; t.most > 0 && drawn[s.Name] > t.most {
			if drawn[s.Name] == t.most+1 {
				left = append(left, s.Name)
			}
			continue
		}
		fmt.Fprintf(&t.out, "%s%s  %s, %s", indent, s.Name, s.Service, s.End.Sub(s.Start).Round(time.Millisecond))
		if s.Error != "" {
			fmt.Fprintf(&t.out, ", %s", s.Error)
		}
		t.out.WriteString("\n")
		t.draw(s.Trace+s.ID, indent+"  ")
	}
	for _, name := range left {
		fmt.Fprintf(&t.out, "%s(%d more %s)\n", indent, drawn[name]-t.most, name)
	}
}
