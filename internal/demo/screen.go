package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// Look is how the demo draws. Draw gives a picture of several lines, Line one
// line for a pipe.
type Look struct {
	Live    bool // redraw in place: the output is a terminal
	Unicode bool
	Draw    func(wire.Deployment) string
	Line    func(wire.Deployment) string
}

// screen prints what happens: on a terminal the deployment that is followed is
// drawn again in place, in a pipe every change is a line.
type screen struct {
	out    io.Writer
	look   Look
	drawn  int // lines of the picture that is on the terminal now
	last   string
	act    string // title of the act
	failed []string
	passed int
}

func (s *screen) title(format string, args ...any) {
	s.settle()
	s.act = fmt.Sprintf(format, args...)
	fmt.Fprintf(s.out, "\n%s\n", s.act)
}

func (s *screen) say(format string, args ...any) {
	s.settle()
	fmt.Fprintf(s.out, "  %s\n", fmt.Sprintf(format, args...))
}

// show draws the deployment as it is now.
func (s *screen) show(d wire.Deployment) {
	if !s.look.Live {
		if key := lineKey(d); key != s.last {
			s.last = key
			fmt.Fprintf(s.out, "    %s\n", s.look.Line(d))
		}
		return
	}
	picture := indent(s.look.Draw(d))
	if picture == s.last && s.drawn > 0 {
		return
	}
	s.erase()
	fmt.Fprint(s.out, picture)
	s.last, s.drawn = picture, strings.Count(picture, "\n")
}

// erase takes the present picture off the terminal.
func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
}

// settle leaves the present picture where it is: what follows stands below it.
func (s *screen) settle() { s.drawn, s.last = 0, "" }

// check states an outcome and whether it really came about.
func (s *screen) check(ok bool, format string, args ...any) {
	s.settle()
	text := fmt.Sprintf(format, args...)
	yes, no := "ok", "NOT SO"
	if s.look.Unicode {
		yes, no = "✓", "✗"
	}
	if ok {
		s.passed++
		fmt.Fprintf(s.out, "  %s %s\n", yes, text)
		return
	}
	s.failed = append(s.failed, text)
	fmt.Fprintf(s.out, "  %s %s\n", no, text)
}

// lineKey is what makes a new line worth printing in a pipe.
func lineKey(d wire.Deployment) string {
	outcome := ""
	if d.Verdict != nil {
		outcome = d.Verdict.Outcome
	}
	return fmt.Sprint(d.ID, d.Status, d.Phase, d.Progress.Applied == d.Progress.Assigned, outcome)
}

func indent(text string) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n")+"\n", "\n")
	var b strings.Builder
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "  ")
}
