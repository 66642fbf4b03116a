package settings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/snapshot"
)

func TestSnapshots(t *testing.T) {
	t.Parallel()
	key, err := snapshot.NewKey("2026-11")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"/run/secrets/snapshot.key": key.Reveal() + "\n", "/run/secrets/s3-secret-key": canary}
	load := func(keys string) (settings.Settings, error) {
		return settings.Load(input("snapshots: {"+keys+"}\n", nil, nil, files))
	}
	s, err := load("directory: /srv/snapshots, signing_key_file: /run/secrets/snapshot.key, max_age: 3d, " +
		"s3: {endpoint: 'https://s3.example.com', bucket: b, prefix: production/, access_key: sluice, secret_key_file: /run/secrets/s3-secret-key}")
	if c := s.Snapshots; err != nil || c.Interval != time.Minute || c.MaxAge != settings.Age(72*time.Hour) || c.S3.Region != "us-east-1" || c.S3.SecretKey.Reveal() != canary || c.SigningKey.Reveal() != key.Reveal() {
		t.Errorf("%+v, %v", c, err)
	}
	if shown := s.LogValue().String(); strings.Contains(shown, canary) || strings.Contains(shown, key.Reveal()) || !strings.Contains(shown, "/srv/snapshots") {
		t.Errorf("it is shown as %s", shown)
	}
	signed := ", signing_key_file: /run/secrets/snapshot.key"
	for keys, want := range map[string]string{
		"":                          "",
		"directory: /srv/snapshots": "snapshots.signing_key: is needed",
		"directory: /srv/snapshots, signing_key: '" + key.Public().String() + "'": "snapshots.signing_key: this is the public key",
		"signing_key_file: /run/secrets/snapshot.key":                             "snapshots.signing_key: is of no use",
		"directory: /srv/snapshots, interval: 10ms" + signed:                      "snapshots.interval",
		"directory: /srv/snapshots, interval: 1h, max_age: 9h" + signed:           "snapshots.max_age",
		"directory: /srv/snapshots, max_age: 10s" + signed:                        "snapshots.max_age",
		"s3: {bucket: b}": "snapshots.s3.endpoint: is needed",
		"s3: {endpoint: 'https://s3.example.com'}" + signed:                                 "snapshots.s3.bucket: is needed",
		"s3: {endpoint: 'https://s3.example.com/b', bucket: b}" + signed:                    "snapshots.s3.endpoint: must be like",
		"s3: {endpoint: 'http://s3.example.com', bucket: b}" + signed:                       "allow_insecure_http",
		"s3: {endpoint: 'https://" + canary + ":x@s3.example.com', bucket: b}" + signed:     "snapshots.s3.endpoint: must be like",
		"s3: {endpoint: 'https://s3.example.com', bucket: b, prefix: /p}" + signed:          "snapshots.s3.prefix",
		"s3: {endpoint: 'https://s3.example.com', bucket: b, access_key: sluice}" + signed:  "snapshots.s3.secret_key",
		"s3: {endpoint: 'https://s3.example.com', bucket: b, secret: x}" + signed:           `unknown key "snapshots.s3.secret"`,
		"s3: {endpoint: 'https://s3.example.com', bucket: b, prefix: production/}" + signed: "",
	} {
		_, err := load(keys)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(fmt.Sprint(err), want)) || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, want %q", keys, err, want)
		}
	}
}
