// Package browsertest tests what people see and do in a browser: the real
// binary, a real repository, instances that apply what they are given, and a
// real browser before it. Pages are found as people find things, by what they
// say and what they are, not by how they are marked up.
package browsertest
