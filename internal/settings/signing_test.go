package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

func TestSigning(t *testing.T) {
	t.Parallel()
	load := func(keys string) (settings.Settings, error) {
		return settings.Load(input("sources: [{id: configs, url: 'https://git.example.com/configs.git'"+keys+"}]\n", nil, nil, nil))
	}
	s, err := load(", require_signed_commits: true, signing_keys_file: /etc/keys.asc, allowed_signers_file: /etc/signers, signed_from: " + strings.Repeat("ab", 20))
	if src := s.Sources; err != nil || !src[0].RequireSignedCommits || src[0].SigningKeysFile != "/etc/keys.asc" || src[0].AllowedSignersFile != "/etc/signers" ||
		src[0].SignedFrom != strings.Repeat("ab", 20) {
		t.Errorf("settings are %+v, %v", src, err)
	}
	if s, err := load(""); err != nil || s.Sources[0].RequireSignedCommits {
		t.Errorf("without a word signatures are required: %v", err)
	}
	for keys, want := range map[string]string{
		", require_signed_commits: true": "sources[0].require_signed_commits: needs signing_keys_file",
		", signing_keys_file: x":         "sources[0].signing_keys_file: is of no use",
		", allowed_signers_file: x":      "sources[0].allowed_signers_file: is of no use",
		", signed_from: abc":             "sources[0].signed_from: is of no use",
		", require_signed_commits: true, allowed_signers_file: x, signed_from: abc":  `sources[0].signed_from: "abc" is not the full id`,
		", require_signed_commits: true, allowed_signers_file: x, signed_from: main": "sources[0].signed_from",
		", require_signed_commits: perhaps, allowed_signers_file: x":                 "is not true or false",
	} {
		if _, err := load(keys); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %q", keys, err, want)
		}
	}
}
