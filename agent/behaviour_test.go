package agent

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestBehaviourIsRead(t *testing.T) {
	t.Parallel()
	got, err := Usual().Parse("requests=20, errors=0.5,latency=30ms,reload=1s,health=Degraded,refuse=no such host")
	want := Behaviour{Requests: 20, Errors: .5, Latency: 30 * time.Millisecond, Reload: time.Second, Health: "Degraded", Refuse: "no such host"}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for text, why := range map[string]string{
		"errors=101": "0 to 100", "errors=NaN": "0 to 100", "errors": "KEY=VALUE", "speed=1": "want requests", "latency=3": "duration", "latency=-1s": "duration", "health=Fine": "want Healthy",
	} {
		if _, err := Usual().Parse(text); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestConditionsOfAConfiguration(t *testing.T) {
	t.Parallel()
	data := json.RawMessage(`{"timeout":{"millis":8},"name":"a","retries":3,"on":true}`)
	for text, holds := range map[string]bool{
		"timeout.millis<100: errors=80": true, "timeout.millis>100: errors=80": false, "timeout.millis=8.0: errors=80": true,
		"name=a: errors=80": true, "name=b: errors=80": false, "name<3: errors=80": false, "on=true: errors=80": true,
		"missing=1: errors=80": false, "retries.deep=1: errors=80": false,
	} {
		c, err := ParseCondition(text, Usual())
		if err != nil || c.holds(data) != holds || c.Behaviour.Errors != 80 || c.Behaviour.Latency != Usual().Latency {
			t.Errorf("%q: %+v %v", text, c, err)
		}
	}
	for _, text := range []string{"", "timeout", "timeout: errors=1", "=1: errors=1", "a<b: errors=1", "a=1: speed=1", "a=1"} {
		if c, err := ParseCondition(text, Usual()); err == nil {
			t.Errorf("%q is taken: %+v", text, c)
		}
	}
}

// Few requests at a time are as quick as many: none is slow because shares of them were rounded.
func TestFewRequestsAreAsQuickAsMany(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
	for _, over := range []time.Duration{100 * time.Millisecond, time.Second, time.Minute} {
		var all tally
		for range 5000 {
			all.count(Usual(), over, random)
		}
		slow := uint64(0)
		for i, n := range all.latency {
			if i == len(latencyBounds) || latencyBounds[i] > 200 {
				slow += n
			}
		}
		if share := float64(slow) / float64(all.requests); share > .002 {
			t.Errorf("in intervals of %v, %.2f %% of the requests took more than ten times the median", over, 100*share)
		}
	}
}

// Over time the numbers are those that were asked for, whatever the intervals.
func TestTalliesAddUp(t *testing.T) {
	t.Parallel()
	b := Behaviour{Requests: 3.3, Errors: 10, Latency: 40 * time.Millisecond}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
	var all tally
	for range 10_000 {
		all.count(b, 700*time.Millisecond, random)
	}
	sum, belowMedian := uint64(0), uint64(0)
	for i, n := range all.latency {
		sum += n
		if i < len(latencyBounds) && latencyBounds[i] <= 50 {
			belowMedian += n
		}
	}
	requests := 3.3 * .7 * 10_000
	if sum != all.requests || !near(float64(all.requests), requests) || !near(float64(all.errors), requests/10) {
		t.Errorf("%+v, want %.0f requests", all, requests)
	}
	if share := float64(belowMedian) / float64(sum); share < .5 || share > .75 {
		t.Errorf("%.2f of the requests took at most 50 ms where the median is 40", share)
	}
	told := all
	all.count(b, time.Hour, random)
	all.without(told)
	if !near(float64(all.requests), 3.3*3600) {
		t.Errorf("what was told is told again: %d", all.requests)
	}
}

func near(got, want float64) bool { return got > want*.95 && got < want*1.05 }
