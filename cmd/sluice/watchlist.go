package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/client"
)

// watchEvery is how often a watched list is asked for: half of what the API's
// limit of 60 a minute allows, so that the same user can look at something else.
const watchEvery = 2 * time.Second

// watchFlag adds --watch to a command.
func watchFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().BoolP("watch", "w", false, "stay, and show what changes, until Ctrl-C")
}

// listWatcher shows a list as it changes: in place on a terminal, every change
// once in a pipe.
type listWatcher struct {
	sh     *shell
	format string
	every  time.Duration
	canvas canvas

	first   bool
	seen    map[string]string // by name, what was last shown of it
	headed  bool
	trouble string // why the daemon does not answer, "" while it does
}

func newListWatcher(sh *shell, format string) *listWatcher {
	return &listWatcher{sh: sh, format: format, every: watchEvery, canvas: newCanvas(sh, sh.stdout), first: true, seen: map[string]string{}}
}

// run shows the list until ctx ends, or until asking again makes no sense: what
// was refused at first will be refused again.
func (w *listWatcher) run(ctx context.Context, ask func(context.Context) (listing, error)) error {
	for {
		answer, err := ask(ctx)
		switch {
		case ctx.Err() != nil:
			return errWatchEnded
		case err == nil:
			if err := w.show(answer); err != nil {
				return err
			}
		case w.first || !passing(err):
			return err
		default:
			w.lost(err)
		}
		if pause(ctx, w.wait(err)) != nil {
			return errWatchEnded
		}
	}
}

// errWatchEnded ends a list that was watched; there is nothing to say about it.
var errWatchEnded = &exitError{code: exitInterrupted}

// passing says that a daemon that answered before may do so again.
func passing(err error) bool {
	e, ok := errors.AsType[*client.APIError](err)
	return !ok || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

func (w *listWatcher) wait(err error) time.Duration {
	if e, ok := errors.AsType[*client.APIError](err); ok {
		return max(w.every, e.RetryAfter)
	}
	return w.every
}

func (w *listWatcher) lost(err error) {
	text := oneLine(err.Error())
	if text != w.trouble && !w.canvas.terminal {
		fmt.Fprintln(w.sh.stderr, "no answer, trying again: "+text)
	}
	w.trouble = text
	if w.canvas.terminal {
		l := w.sh.lookOf(w.sh.stdout)
		w.canvas.note(l.paint(yellow, l.cut("no answer, trying again: "+text, l.Width)) + "\n")
	}
}

// show shows what is new since the last time.
func (w *listWatcher) show(answer listing) error {
	defer func() { w.first = false }()
	if w.trouble != "" && !w.canvas.terminal {
		fmt.Fprintln(w.sh.stderr, "the daemon answers again")
	}
	w.trouble = ""
	if w.canvas.terminal && (w.format == formatTable || w.format == formatWide) {
		return w.redraw(answer)
	}
	switch w.format {
	case formatJSON, formatYAML:
		return w.items(answer)
	}
	return w.rows(answer)
}

func (w *listWatcher) redraw(answer listing) error {
	l := w.sh.lookOf(w.sh.stdout)
	if answer.text != nil {
		w.canvas.draw(strings.SplitAfter(strings.TrimSuffix(answer.text(l), "\n")+"\n", "\n"), l)
		return nil
	}
	t := answer.table(l)
	if len(t.rows) == 0 {
		w.canvas.draw([]string{answer.empty + "\n"}, l)
		return nil
	}
	w.canvas.draw(t.lines(l, w.sh.layout(w.format)), l)
	return nil
}

// rows prints the rows that changed. Times are not compared: that a minute has
// passed is no change.
func (w *listWatcher) rows(answer listing) error {
	l := w.sh.lookOf(w.sh.stdout)
	if answer.table == nil {
		return w.whole(answer.text(look{}), answer.text(l))
	}
	t, timeless := answer.table(l), answer.table(look{Width: l.Width}).rows
	var lines []string
	if w.format == formatName {
		lines = answer.nameLines()
	} else {
		lines = t.lines(l, layout{headless: true})
		if !w.headed && !w.sh.noHeaders && len(t.rows) > 0 {
			w.headed = true
			fmt.Fprint(w.sh.stdout, t.lines(l, layout{})[0])
		}
	}
	if w.first && len(lines) == 0 {
		fmt.Fprintln(w.sh.stderr, answer.empty)
	}
	names := keys(answer.names)
	for i := range lines {
		if w.changed(names[i], strings.Join(timeless[i], "\x00")) {
			if _, err := io.WriteString(w.sh.stdout, lines[i]); err != nil {
				return err
			}
		}
	}
	w.forget(names)
	return nil
}

// whole prints a text when it changed.
func (w *listWatcher) whole(timeless, text string) error {
	if !w.changed("", timeless) {
		return nil
	}
	_, err := io.WriteString(w.sh.stdout, text)
	return err
}

// items prints the values that changed, each a document of its own: JSON on one
// line, YAML after a line of three dashes.
func (w *listWatcher) items(answer listing) error {
	v := reflect.ValueOf(answer.value)
	if v.Kind() != reflect.Slice {
		return w.item("", answer.value)
	}
	names := keys(answer.names)
	for i := range v.Len() {
		if err := w.item(names[i], v.Index(i).Interface()); err != nil {
			return err
		}
	}
	w.forget(names)
	return nil
}

// keys tells names apart that are there more than once, as a version is that was
// deployed twice. They count from the end, so that a new first one moves none.
func keys(names []string) []string {
	out := slices.Clone(names)
	seen := map[string]int{}
	for i, name := range slices.Backward(names) {
		if seen[name]++; seen[name] > 1 {
			out[i] = fmt.Sprintf("%s (%d)", name, seen[name])
		}
	}
	return out
}

func (w *listWatcher) item(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil || !w.changed(name, string(text)) {
		return err
	}
	if w.format == formatYAML {
		fmt.Fprintln(w.sh.stdout, "---")
		return writeYAML(w.sh.stdout, value)
	}
	enc := json.NewEncoder(w.sh.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

func (w *listWatcher) changed(name, state string) bool {
	before, known := w.seen[name]
	w.seen[name] = state
	return !known || before != state
}

// forget says what is not there any more.
func (w *listWatcher) forget(names []string) {
	for name := range w.seen {
		if !slices.Contains(names, name) {
			delete(w.seen, name)
			fmt.Fprintln(w.sh.stderr, oneLine(name)+" is gone from the list")
		}
	}
}
