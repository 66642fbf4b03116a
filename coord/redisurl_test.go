package coord_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/coord"
)

func TestRedisURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]struct {
		addrs                     string
		user, password            string
		sentinelUser, sentinelPwd string
		master                    string
		db                        int
		cluster, tls              bool
	}{
		"redis://r":                       {addrs: "r:6379"},
		"redis://r/":                      {addrs: "r:6379"},
		"rediss://r:7000/3":               {addrs: "r:7000", db: 3, tls: true},
		"redis://r?db=3":                  {addrs: "r:6379", db: 3},
		"redis://u:p%2Fw%40%3F@r":         {addrs: "r:6379", user: "u", password: "p/w@?"},
		"redis://:pw@[2001:db8::1]:1/0":   {addrs: "[2001:db8::1]:1", password: "pw"},
		"redis://u:p@r?addr=s:1&addr=t:2": {addrs: "r:6379 s:1 t:2", user: "u", password: "p", cluster: true},
		"rediss://r?cluster=true":         {addrs: "r:6379", cluster: true, tls: true},
		"redis://su:sp@r/2?master_name=m&addr=s:26379&username=u&password=p": {
			addrs: "r:26379 s:26379", master: "m", user: "u", password: "p", sentinelUser: "su", sentinelPwd: "sp", db: 2,
		},
	} {
		o, err := coord.ParseRedisURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := want
		got.addrs, got.user, got.password, got.master = strings.Join(o.Addrs, " "), o.Username, o.Password, o.MasterName
		got.sentinelUser, got.sentinelPwd, got.db, got.cluster = o.SentinelUsername, o.SentinelPassword, o.DB, o.IsClusterMode
		if got.tls = o.TLSConfig != nil; got != want {
			t.Errorf("%s is %+v, want %+v", url, got, want)
		}
	}
}

// An error tells what to write, and nothing of what was written: a password
// with a sign that URLs use ends up in any part of it.
func TestWrongRedisURLStaysSecret(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "s3cret", "s3cret:6379", "redis:", "redis://", "redis:///0", "redis:s3cret@r", "http://u:s3cret@r", "s3cret://r",
		"redis://u:s3cret/x@r", "redis://u:s3cret?x@r:6379", "redis://u:s3cret#x@r:6379/0", "redis://u:s3cret%zz@r", "redis://u:s3cret x@r:port",
		"redis://:1234/s3cret@r", "redis://:1234?s3cret@r", "redis://:1234#s3cret@r", "redis://s3cret/x@r", "redis://s3cret#x@r:6379",
		"redis://r/s3cret", "redis://r/-1", "redis://r/0/s3cret", "redis://r/0?db=1", "redis://r?db=s3cret", "redis://r?addr=s3cret",
		"redis://r?cluster=s3cret", "redis://r/1?cluster=true", "redis://r?cluster=true&master_name=s3cret", "redis://r?dial_timeout=s3cret",
		"redis://r?s3cret=1", "redis://r?password=s3cret&password=x", "redis://r?password=", "redis://r?%s3cret", "redis://r:s3cret",
		"redis://u:s3cret@r\n", "redis://u:s3cret@r host", "unix://u:s3cret@/x", "redis://r?a;s3cret",
	} {
		r, err := coord.OpenRedis(t.Context(), coord.RedisOptions{URL: url})
		if err == nil {
			t.Errorf("%q is a URL", url)
			r.Close()
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "%!") || len(err.Error()) < 20 {
			t.Errorf("%q: %v", url, err)
		}
	}
}
