package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
)

func assignment(profile string, generation int64) fleet.Assignment {
	return fleet.Assignment{Profile: profile, Version: fmt.Sprintf("1.0.%d", generation), Hash: strings.Repeat("a", 64), Generation: generation, DeploymentID: "d-1"}
}

func mustDelivery(t testing.TB, of fleet.Assignment, data string) *delivery {
	t.Helper()
	a := &API{log: slog.New(slog.DiscardHandler)}
	d, err := a.newDelivery(of, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What is put together for an instance is what the wire's own encoding says.
func TestDeliveryIsTheWire(t *testing.T) {
	t.Parallel()
	span := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	large := `{"text":"` + strings.Repeat("y", inlineLimit) + `"}`
	for name, c := range map[string]struct {
		of   func(a *fleet.Assignment)
		data string
	}{
		"plain":               {func(*fleet.Assignment) {}, `{"a":"<b> & \u2028"}`},
		"in a trace":          {func(a *fleet.Assignment) { a.TraceParent = span }, `{}`},
		"of a group":          {func(a *fleet.Assignment) { a.ActiveGroup = "blue" }, `{}`},
		"large":               {func(a *fleet.Assignment) { a.TraceParent = span }, large},
		"large, strange name": {func(a *fleet.Assignment) { a.Profile = "a b/c.d\"e" }, large},
		"given at the start":  {func(a *fleet.Assignment) { a.DeploymentID = "" }, `{"n":1}`},
	} {
		of := assignment("shop.production", 7)
		c.of(&of)
		set := deliveries{mustDelivery(t, of, c.data), mustDelivery(t, assignment("zoo.production", 1), `{}`)}
		want := wire.Assignments{}
		for i, data := range []string{c.data, `{}`} {
			own := set[i].Assignment
			own.InstanceID = "i-1"
			one := named(own)
			if len(data) <= inlineLimit {
				one.URL, one.Data = "", json.RawMessage(data)
			}
			want.Assignments = append(want.Assignments, one)
		}
		text, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.appendFor(nil, "i-1"); !bytes.Equal(got, text) {
			t.Errorf("%s:\n got %.300s\nwant %.300s", name, got, text)
		}
	}
}

// No generation is followed by a lower one, and what is not new is not told.
func TestSetWithNews(t *testing.T) {
	t.Parallel()
	of := func(profile string, generation int64) *delivery {
		return &delivery{Assignment: assignment(profile, generation)}
	}
	names := func(set deliveries) string {
		var all []string
		for _, d := range set {
			all = append(all, fmt.Sprint(d.Profile, d.Generation))
		}
		return strings.Join(all, " ")
	}
	set := deliveries{of("b", 2), of("d", 4)}
	for _, c := range []struct {
		news         deliveries
		whole, fresh string
	}{
		{nil, "b2 d4", ""},
		{deliveries{of("b", 2)}, "b2 d4", ""},
		{deliveries{of("b", 1), of("d", 5)}, "b2 d5", "d5"},
		{deliveries{of("a", 1), of("c", 1), of("e", 1)}, "a1 b2 c1 d4 e1", "a1 c1 e1"},
		{deliveries{of("b", 3), of("b", 5), of("b", 4)}, "b5 d4", "b3 b5"},
	} {
		whole, fresh := set.with(c.news)
		if names(whole) != c.whole || names(fresh) != c.fresh || names(set) != "b2 d4" {
			t.Errorf("with %s: %s, fresh %s; the set itself %s", names(c.news), names(whole), names(fresh), names(set))
		}
	}
}

// The same assignment is the same delivery for everybody, as long as anybody holds it.
func TestShelf(t *testing.T) {
	t.Parallel()
	s := newShelf()
	of := assignment("shop.production", 1)
	first := &delivery{Assignment: of}
	if s.get(of) != nil || s.put(of, first) != first || s.put(of, &delivery{}) != first || s.get(of) != first {
		t.Error("it does not give the first one")
	}
	other := of
	other.ActiveGroup = "green"
	if s.get(other) != nil {
		t.Error("another group's is the same")
	}
	for i := range int64(10 * leastShelf) {
		one := assignment("many.production", i)
		s.put(one, &delivery{Assignment: one})
	}
	if s.get(of) != first { // first is held
		t.Error("what is held is gone")
	}
}

// writes is the connection of a stream.
type writes struct{ io.Writer }

func (writes) Flush() error                     { return nil }
func (writes) SetWriteDeadline(time.Time) error { return nil }

// Budgets of what is done for each of ten thousand streams; the race detector's pools add one.
func TestAllocationsOfADelivery(t *testing.T) {
	set := deliveries{mustDelivery(t, assignment("shop.production", 7), `{"text":"`+strings.Repeat("x", 900)+`"}`)}
	news := deliveries{mustDelivery(t, assignment("shop.production", 8), `{}`)}
	s := &eventStream{out: writes{io.Discard}, timeout: time.Second}
	m := &watermark{seats: map[string]*seat{}, bus: coord.NewMemory(), running: true}
	w := m.join("i-1")
	w.seat.sure = true
	for what, c := range map[string]struct {
		budget float64
		do     func()
	}{
		"writing it":      {4, func() { s.sendAssignments(set, "i-1") }}, //nolint:errcheck // it is thrown away
		"taking news":     {2, func() { set.with(news) }},
		"looking at them": {0, func() { w.look(t.Context(), nil) }}, //nolint:errcheck // it reads nothing
		"being woken":     {0, func() { w.seat.nudge() }},
	} {
		if got := testing.AllocsPerRun(1000, c.do); got > c.budget {
			t.Errorf("%s takes %v allocations, at most %v", what, got, c.budget)
		}
	}
}

func BenchmarkSendAssignments(b *testing.B) {
	set := deliveries{mustDelivery(b, assignment("shop.production", 7), `{"text":"`+strings.Repeat("x", 900)+`"}`)}
	s := &eventStream{out: writes{io.Discard}, timeout: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.sendAssignments(set, "i-1"); err != nil {
			b.Fatal(err)
		}
	}
}
