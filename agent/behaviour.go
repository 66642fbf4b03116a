package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// Behaviour is how a simulated instance does.
type Behaviour struct {
	Requests float64       // a second
	Errors   float64       // percent of them
	Latency  time.Duration // the median; one in a hundred takes five times as long
	Reload   time.Duration // that applying a configuration takes
	Refuse   string        // why a configuration is refused, "" when it is applied
	Health   string        // Healthy, Degraded or Unhealthy
}

// Usual is how one does that nothing is said of.
func Usual() Behaviour {
	return Behaviour{Requests: 10, Errors: 0.1, Latency: 20 * time.Millisecond, Reload: 10 * time.Millisecond, Health: "Healthy"}
}

// Parse reads "requests=20,errors=0.5,latency=30ms,reload=10ms,health=Healthy,refuse=why":
// what is left out is as in b.
func (b Behaviour) Parse(text string) (Behaviour, error) {
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return b, fmt.Errorf("behaviour %q: %q is not KEY=VALUE", text, part)
		}
		if err := b.set(key, value); err != nil {
			return b, fmt.Errorf("behaviour %q: %s: %w", text, key, err)
		}
	}
	return b, nil
}

func (b *Behaviour) set(key, value string) (err error) {
	switch key {
	case "requests":
		b.Requests, err = within(value, 1e6)
	case "errors":
		b.Errors, err = within(value, 100)
	case "latency":
		b.Latency, err = span(value)
	case "reload":
		b.Reload, err = span(value)
	case "refuse":
		b.Refuse = value
	case "health":
		if b.Health = value; !slices.Contains([]string{"Healthy", "Degraded", "Unhealthy"}, value) {
			return errors.New("want Healthy, Degraded or Unhealthy")
		}
	default:
		return errors.New("want requests, errors, latency, reload, health or refuse")
	}
	return err
}

func within(value string, most float64) (float64, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= most) {
		return 0, fmt.Errorf("%q is no number from 0 to %g", value, most)
	}
	return f, nil
}

func span(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > time.Hour {
		return 0, fmt.Errorf("%q is no duration up to 1h, such as 30ms", value)
	}
	return d, nil
}

// Condition is a behaviour that depends on the configuration: a field with dots between the names of
// objects, compared with a value. Numbers are compared as numbers, all else as text.
type Condition struct {
	Field, Operator, Value string // the operator is =, < or >
	Behaviour              Behaviour
}

// ParseCondition reads "timeout.millis<100: errors=80,latency=2s"; what it does not say is as in usual.
func ParseCondition(text string, usual Behaviour) (c Condition, err error) {
	test, then, ok := strings.Cut(text, ":")
	at := strings.IndexAny(test, "=<>")
	if !ok || at < 1 {
		return c, fmt.Errorf("condition %q: want FIELD=VALUE: BEHAVIOUR, or < or > in place of =", text)
	}
	c = Condition{Field: strings.TrimSpace(test[:at]), Operator: test[at : at+1], Value: strings.TrimSpace(test[at+1:])}
	if _, err := strconv.ParseFloat(c.Value, 64); err != nil && c.Operator != "=" {
		return c, fmt.Errorf("condition %q: %s compares numbers, and %q is none", text, c.Operator, c.Value)
	}
	if c.Behaviour, err = usual.Parse(strings.TrimSpace(then)); err != nil {
		return c, fmt.Errorf("condition %q: %w", text, err)
	}
	return c, nil
}

// holds says whether a configuration is of the kind.
func (c Condition) holds(data json.RawMessage) bool {
	got := data
	for name := range strings.SplitSeq(c.Field, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(got, &object) != nil {
			return false
		}
		if got = object[name]; got == nil {
			return false
		}
	}
	text := strings.Trim(string(got), `"`)
	a, errA := strconv.ParseFloat(text, 64)
	b, errB := strconv.ParseFloat(c.Value, 64)
	if errA != nil || errB != nil {
		return c.Operator == "=" && text == c.Value
	}
	switch c.Operator {
	case "<":
		return a < b
	case ">":
		return a > b
	}
	return a == b
}

// latencyBounds are those of the histograms that are reported, in milliseconds.
var latencyBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}

// tally is what an instance counted.
type tally struct {
	requests, errors uint64
	latency          [13]uint64 // by latencyBounds, and one more
}

// count adds what an instance that does so counts over some time.
func (t *tally) count(b Behaviour, over time.Duration, random *rand.Rand) {
	requests := whole(b.Requests*over.Seconds(), random)
	t.requests += requests
	t.errors += min(requests, whole(float64(requests)*b.Errors/100, random))
	// One draw for all bounds: what each rounds off by itself would add up beyond the last.
	draw, below := random.Float64(), uint64(0)
	for i, bound := range latencyBounds {
		share := logNormal(bound, float64(b.Latency)/float64(time.Millisecond))
		upTo := min(requests, uint64(float64(requests)*share+draw))
		t.latency[i] += upTo - below
		below = upTo
	}
	t.latency[len(latencyBounds)] += requests - below
}

// without takes off what was told.
func (t *tally) without(told tally) {
	t.requests, t.errors = t.requests-told.requests, t.errors-told.errors
	for i := range t.latency {
		t.latency[i] -= told.latency[i]
	}
}

// health is the tally as a heartbeat carries it.
func (t tally) health(status string) wire.Health {
	return wire.Health{Status: status, Requests: &t.requests, Errors: &t.errors, Latency: &wire.Histogram{Bounds: latencyBounds, Counts: t.latency[:]}}
}

// whole rounds up or down by chance, so that the sum over time is right.
func whole(f float64, random *rand.Rand) uint64 {
	floor := math.Floor(f)
	if random.Float64() < f-floor {
		floor++
	}
	return uint64(max(0, floor))
}

// sigma makes the 99th percentile five times the median.
var sigma = math.Log(5) / 2.326

// logNormal is the share of requests that take at most x, where the median is as given.
func logNormal(x, median float64) float64 {
	if median <= 0 {
		return 1
	}
	return 0.5 * math.Erfc(-(math.Log(x)-math.Log(median))/(sigma*math.Sqrt2))
}
