// Package bench measures what Sluice is built for, each figure beside its floor: the same work done
// barely, in the same run, by a few lines of Go or by a program that everybody has. Machines differ
// and are noisy; the ratio of two medians taken in turn is what stays.
//
// The scenarios are tests, since they need real servers: at a small size they run with every other
// test and show that they still measure what they say. "make bench" runs them at full size and
// writes docs/performance.md.
package bench
