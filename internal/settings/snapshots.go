package settings

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/snapshot"
)

// Snapshots say where signed copies of stable versions are kept: in a folder, in an object
// store, in both, or nowhere.
type Snapshots struct {
	Directory  string        `key:"directory" help:"folder to keep snapshots in, on a network drive for example; made where it is missing"`
	S3         S3            `key:"s3" help:"object store to keep snapshots in"`
	SigningKey Secret        `key:"signing_key" help:"private key that signs them; sluice snapshot key makes one"`
	Interval   time.Duration `key:"interval" default:"1m" help:"how often what is kept is compared with what should be: 1s to 1h"`
	MaxAge     Age           `key:"max_age" default:"7d" help:"age at which instances refuse a snapshot, the same as theirs; it is signed anew at a third of it"`
}

// S3 is a bucket of an object store.
type S3 struct {
	Endpoint  string `key:"endpoint" help:"URL of an object store that speaks S3, such as https://s3.eu-central-1.amazonaws.com; empty is none"`
	Bucket    string `key:"bucket" help:"bucket, which exists"`
	Prefix    string `key:"prefix" help:"how the keys begin, such as production/; one for each installation"`
	Region    string `key:"region" default:"us-east-1" help:"region that requests are signed for"`
	AccessKey Secret `key:"access_key" help:"who signs in; without it, the role that AWS gives to the machine or the service account"`
	SecretKey Secret `key:"secret_key" help:"secret of access_key"`
	CAFile    string `key:"ca_file" help:"certificates that sign the endpoint's; empty is the system's"`
}

// LogValue shows the settings of snapshots without their secrets.
func (s Snapshots) LogValue() slog.Value { return logValue(s) }

// shortestAge is what leaves time to sign anew: instances refuse what is older.
const shortestAge = Age(time.Hour)

func (s Snapshots) check(insecure bool, check checker) {
	if s.SigningKey != "" {
		_, err := snapshot.ParsePrivateKey(s.SigningKey.Reveal())
		check(err == nil, "signing_key", "%v", err)
	}
	kept := s.Directory != "" || s.S3.Endpoint != ""
	check(!kept || s.SigningKey != "", "signing_key", "is needed: an unsigned snapshot could come from anybody; sluice snapshot key makes one")
	check(kept || s.SigningKey == "", "signing_key", "is of no use without directory or s3.endpoint")
	check(s.Interval >= time.Second && s.Interval <= time.Hour, "interval", "%s is not between 1s and 1h", s.Interval)
	check(s.MaxAge >= shortestAge && time.Duration(s.MaxAge) >= 10*s.Interval, "max_age", "%s is below %s or ten times interval: snapshots would be refused before they are signed anew", s.MaxAge, shortestAge)
	s.S3.check(insecure, within("s3.", check))
}

func (s S3) check(insecure bool, check checker) {
	if s.Endpoint == "" {
		check(s.Bucket == "" && s.Prefix == "" && s.AccessKey == "" && s.SecretKey == "" && s.CAFile == "", "endpoint", "is needed with the other settings of s3")
		return
	}
	u, err := url.Parse(s.Endpoint) // which is never repeated: somebody may have put a password into it
	check(err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && strings.Trim(u.Path, "/") == "" && (u.Scheme == "https" || u.Scheme == "http" && insecure), "endpoint",
		"must be like https://s3.eu-central-1.amazonaws.com, without bucket or user; http:// is not encrypted, allow_insecure_http allows it")
	check(s.Bucket != "", "bucket", "is needed with endpoint")
	check(!strings.HasPrefix(s.Prefix, "/"), "prefix", "%q must not begin with a slash", s.Prefix)
	check((s.AccessKey == "") == (s.SecretKey == ""), "secret_key", "goes with access_key: give both or none")
}
