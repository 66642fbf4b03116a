package gitsource

import (
	"bytes"
	"regexp"
	"strconv"
	"time"
)

// maxSignature bounds one commit's signature, as text.
const maxSignature = 64 << 10

// signed is a commit taken apart for the check of its signature.
type signed struct {
	payload   []byte // what was signed: the commit without its signature
	signature []byte
	email     string // of the committer
	when      time.Time
}

// committerLine leaves no doubt about what is the address: Git and others read odd ones differently.
var committerLine = regexp.MustCompile(`^[^<>]*<([^<>]*)> (\d{1,12}) [+-]\d{4}$`)

// parseSigned takes a commit object apart. It reads the bytes themselves, because what a decoder makes of them is not
// what was signed. why says what is wrong with it, "" when nothing is.
func parseSigned(raw []byte) (c signed, why string) {
	head, message := raw, []byte(nil)
	if i := bytes.Index(raw, []byte("\n\n")); i >= 0 {
		head, message = raw[:i+1], raw[i+1:]
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return c, "has a header that is not text"
	}
	signatures, committers, inside := 0, 0, false
	for line := range bytes.Lines(head) {
		if line[0] == ' ' && inside {
			c.signature = append(c.signature, line[1:]...)
			continue
		}
		key, value, _ := bytes.Cut(line, []byte{' '})
		switch inside = false; {
		case string(key) == "gpgsig":
			inside = true
			signatures++
			c.signature = append(c.signature, value...)
			continue
		case string(key) == "gpgsig-sha256":
			return c, "has a second signature"
		case string(key) == "committer":
			m := committerLine.FindSubmatch(bytes.TrimSuffix(value, []byte{'\n'}))
			if committers++; m == nil || committers > 1 {
				return c, "has a committer that cannot be told for sure"
			}
			seconds, err := strconv.ParseInt(string(m[2]), 10, 64)
			if err != nil {
				return c, "has a committer that cannot be told for sure"
			}
			c.email, c.when = string(m[1]), time.Unix(seconds, 0)
		}
		c.payload = append(c.payload, line...)
	}
	c.payload = append(c.payload, message...)
	switch {
	case signatures == 0:
		return c, "is not signed"
	case signatures > 1 || bytes.Count(c.signature, []byte("-----BEGIN ")) > 1:
		return c, "has a second signature"
	case len(c.signature) > maxSignature:
		return c, "has a signature that is too large"
	case committers == 0 || c.email == "":
		return c, "has no committer"
	}
	return c, ""
}
