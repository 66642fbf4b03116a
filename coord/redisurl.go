package coord

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseRedisURL checks a URL and says which servers it names:
//
//	redis://user:password@host:6379/0                     one server
//	redis://host:6379?addr=host2:6379                     a cluster, by some of its nodes
//	redis://host:6379?cluster=true                        a cluster, by one of its nodes
//	redis://host:26379?addr=host2:26379&master_name=main  a master that Sentinels name
//
// rediss:// is the same over TLS. With master_name the user and password before
// the host are the Sentinels', and those of the master are the options username
// and password, as go-redis writes it. No part of the URL is in an error: a
// password with a sign that URLs use ends up anywhere.
func parseRedisURL(raw string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errRedisURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Hostname() == "" || u.Fragment != "" || u.Opaque != "" {
		return nil, errRedisURL
	}
	o := &redis.UniversalOptions{MasterName: query.Get("master_name")}
	switch u.Scheme {
	case "redis":
	case "rediss":
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return nil, errors.New("must begin with redis:// or rediss://")
	}
	if err := knownOptions(query); err != nil {
		return nil, err
	}
	if err := addresses(o, u, query); err != nil {
		return nil, err
	}
	if err := database(o, u, query); err != nil {
		return nil, err
	}
	credentials(o, u, query)
	return o, nil
}

var errRedisURL = errors.New("must be like redis://user:password@redis.example.com:6379/0; " +
	"in user and password write %25 for %, %2F for /, %3F for ?, %23 for # and %40 for @")

// redisOptions are what may stand behind the question mark of a URL.
var redisOptions = []string{"addr", "cluster", "db", "master_name", "password", "username"}

func knownOptions(query url.Values) error {
	for name, values := range query {
		if !slices.Contains(redisOptions, name) {
			return fmt.Errorf("has an option that is not one of: %s", strings.Join(redisOptions, ", "))
		}
		if len(values) > 1 && name != "addr" {
			return errors.New("has an option twice")
		}
		if slices.Contains(values, "") {
			return errors.New("has an option without a value")
		}
	}
	return nil
}

func addresses(o *redis.UniversalOptions, u *url.URL, query url.Values) error {
	port := u.Port()
	if port == "" {
		port = "6379"
		if o.MasterName != "" {
			port = "26379"
		}
	}
	o.Addrs = []string{net.JoinHostPort(u.Hostname(), port)}
	for _, addr := range query["addr"] {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return errors.New("addr: must be like host:port")
		}
		o.Addrs = append(o.Addrs, addr)
	}
	if text := query.Get("cluster"); text != "" {
		cluster, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("cluster: must be true or false")
		}
		if cluster && o.MasterName != "" {
			return errors.New("cluster: a cluster has no master_name, give one of the two")
		}
		o.IsClusterMode = cluster
	}
	o.IsClusterMode = o.IsClusterMode || len(o.Addrs) > 1 && o.MasterName == ""
	return nil
}

func database(o *redis.UniversalOptions, u *url.URL, query url.Values) error {
	text := strings.Trim(u.Path, "/")
	if db := query.Get("db"); db != "" {
		if text != "" {
			return errors.New("has a database twice: as its path and as db")
		}
		text = db
	}
	if text == "" {
		return nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 {
		return errors.New("its path must be the number of a database, like /0")
	}
	if number > 0 && o.IsClusterMode {
		return errors.New("a cluster has only database 0")
	}
	o.DB = number
	return nil
}

func credentials(o *redis.UniversalOptions, u *url.URL, query url.Values) {
	password, _ := u.User.Password()
	if o.MasterName == "" {
		o.Username, o.Password = u.User.Username(), password
	} else {
		o.SentinelUsername, o.SentinelPassword = u.User.Username(), password
	}
	if name := query.Get("username"); name != "" {
		o.Username = name
	}
	if word := query.Get("password"); word != "" {
		o.Password = word
	}
}
