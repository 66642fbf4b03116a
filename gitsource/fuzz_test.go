package gitsource

import (
	"bytes"
	"crypto/sha1"
	"strings"
	"testing"
)

// Fuzzed input goes to the parsers themselves: through a server it would spend its time in HTTP.

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a.yaml\x00aaaaaaaaaaaaaaaaaaaa40000 d\x00bbbbbbbbbbbbbbbbbbbb"))
	f.Add([]byte("120000 ..\x00aaaaaaaaaaaaaaaaaaaa"))
	f.Add([]byte("100644 \xff\x00aaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parseTree(b)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.valid() && (e.name == "" || strings.ContainsAny(e.name, "/\\\x00\n\x1b") || e.name == ".." || strings.EqualFold(e.name, ".git")) {
				t.Errorf("%q is taken for a valid name", e.name)
			}
			if e.valid() != (e.kind == Regular || e.kind == folder) {
				t.Errorf("%+v: kind and reason disagree", e)
			}
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://u:secret@host/x.git", "git@host:x", "ssh://git@host:22/x", "file:///x", "ext::sh", "//x", "https://h/%zz", "git@[::1]:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseURL(Options{URL: s})
		if err != nil {
			if len(s) > 12 && strings.Contains(err.Error(), s) {
				t.Errorf("the error quotes the URL: %v", err)
			}
			return
		}
		if r.scheme != "https" && r.scheme != "ssh" {
			t.Errorf("scheme %q got through", r.scheme)
		}
		if r.host == "" || strings.HasPrefix(r.host, "-") || strings.HasPrefix(r.path, "-") || strings.HasPrefix(r.user, "-") {
			t.Errorf("%+v could be taken for an option", r)
		}
		if strings.Contains(r.String(), "@") && !strings.Contains(r.path, "@") {
			t.Errorf("%s shows user information", r)
		}
	})
}

func FuzzReceivePack(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x33x\x9cabc"))
	// One blob "abc" and one delta of it by distance.
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02\x33x\x01\x01\x03\x00\xfc\xffabc\x02\x4d\x01\x27\x65\x0e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := Limits{MaxPackBytes: 1 << 20, MaxObjects: 1000, MaxObjectBytes: 1 << 20, MaxInflatedBytes: 8 << 20}.withDefaults()
		sum := sha1.Sum(b) // a checksum is no protection: whoever makes the pack makes it too
		b = append(b, sum[:]...)
		s, err := scanPack(t.Context(), bytes.NewReader(b), limits)
		if err != nil {
			return
		}
		if err := s.resolve(t.Context(), bytes.NewReader(b), int64(len(b))-20); err != nil {
			return
		}
		for _, e := range s.entries {
			if !e.known {
				t.Errorf("an object without a hash passed")
			}
		}
	})
}
