// Package agent is the sidecar for programs that know nothing of Sluice: it brings a profile's
// configuration into a file, makes the program load it, and reports how the program does.
//
// A configuration is applied in steps, each of which can refuse it: the file is rendered beside the
// old one, the check command looks at it, it takes the old one's place in one rename, and the
// program is told to reload. When the reload fails, the former file is put back and loaded again.
// A journal in the state directory is written before the swap and closed after it, so that an agent
// that was killed in between neither loses the former file nor takes a half-finished swap for a
// finished one.
package agent
