package main

import "time"

// severe is trouble that nobody would miss.
var severe = either(errorsOf(10, 50), slowerBy(2, 10))

// classes lists what is simulated. The shares add up to 100.
func classes() []class {
	return []class{
		{"healthy, ten instances", healthy, 13, tenInstances},
		{"healthy, 5 to 1,000 instances", healthy, 10, usual},
		{"errors +10 points, one of ten", faulty, 6, with(tenInstances, errorsOf(10, 10))},
		{"errors +7 points, one of ten", faulty, 5, with(tenInstances, errorsOf(7, 7))},
		{"p99 doubled, one of ten", faulty, 6, with(tenInstances, slowerBy(2, 2))},
		{"p99 +80 %, one of ten", faulty, 6, with(tenInstances, slowerBy(1.8, 1.8))},
		{"p99 doubled, very unlike instances", faulty, 1, with(mixed, slowerBy(2, 2))},
		{"healthy, very unlike instances", healthy, 2, mixed},
		{"errors +10 to +50 points, 5 to 1,000 instances", faulty, 3, with(usual, errorsOf(10, 50))},
		{"latency 2 to 10 times, 5 to 1,000 instances", faulty, 3, with(usual, slowerBy(2, 10))},
		{"fault on three in ten instances", faulty, 4, onPart(0.3)},
		{"fault, a tenth of heartbeats lost", faulty, 3, losing(with(tenInstances, severe), 0.1)},
		{"healthy, a tenth of heartbeats lost", healthy, 3, losing(tenInstances, 0.1)},
		{"fault and a noisy neighbour", faulty, 3, noisy(with(tenInstances, severe), false)},
		{"noisy neighbour of any instance", healthy, 4, noisy(tenInstances, false)},
		{"first instance ill before and after", healthy, 4, illBefore},
		{"shared outage before the last phase", healthy, 8, outage(0, 13*time.Minute, 15*time.Minute)},
		{"shared outage in the last phase", healthy, 3, outage(930*time.Second, 17*time.Minute, time.Hour)},
		{"errors +0.5 to +4 points", small, 3, with(usual, errorsOf(0.5, 4))},
		{"latency +10 to +40 %", small, 3, with(usual, slowerBy(1.1, 1.4))},
		{"1 request a second: healthy", healthy, 2, at(1, tenInstances)},
		{"1 request a second: errors +10 points", faulty, 1, at(1, with(tenInstances, errorsOf(10, 10)))},
		{"1 request a second: p99 doubled", faulty, 1, at(1, with(tenInstances, slowerBy(2, 2)))},
		{"1 request in 10 s: healthy", healthy, 1, at(0.1, tenInstances)},
		{"1 request in 10 s: errors +10 points", faulty, 1, at(0.1, with(tenInstances, errorsOf(10, 10)))},
		{"1 request in 10 s: errors +50 points", faulty, 1, at(0.1, with(tenInstances, errorsOf(50, 50)))},
	}
}

// mixed is a fleet on machines that have little in common.
func mixed(d dice) scenario {
	s := tenInstances(d)
	s.unlike = 0.2
	return s
}

// onPart is a fault that shows on a part of the updated instances only.
func onPart(part float64) func(dice) scenario {
	return func(d dice) scenario {
		s := with(tenInstances, severe)(d)
		s.part = part
		return s
	}
}

func losing(draw func(dice) scenario, share float64) func(dice) scenario {
	return func(d dice) scenario {
		s := draw(d)
		s.lost = share
		return s
	}
}

// noisy has a neighbour disturb one instance for some minutes.
func noisy(draw func(dice) scenario, first bool) func(dice) scenario {
	return func(d dice) scenario {
		s := draw(d)
		from := time.Duration(d.between(-5, 12) * float64(time.Minute))
		s.one = episode{either(errorsOf(1, 20), slowerBy(1.2, 4))(d), from, from + time.Duration(d.between(1, 5)*float64(time.Minute))}
		s.first = first
		return s
	}
}

// illBefore has one instance ill all along, and first in the queue.
func illBefore(d dice) scenario {
	s := tenInstances(d)
	s.one = episode{severe(d), -time.Hour, time.Hour}
	s.first = true
	return s
}

// outage troubles everybody, from a time between first and last on.
func outage(first, last, until time.Duration) func(dice) scenario {
	return func(d dice) scenario {
		s := usual(d)
		from := first + time.Duration(d.Float64()*float64(last-first))
		s.outage = episode{severe(d), from, min(until, from+time.Duration(d.between(1, 8)*float64(time.Minute)))}
		return s
	}
}
