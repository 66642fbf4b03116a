package coord_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/internal/testenv"
)

// shared checks that two replicas share all there is to share.
func (w two) shared(t *testing.T) {
	t.Helper()
	until(t, "a lock that both respect", func() bool {
		unlock, err := w.a.Redis.Lock(t.Context(), "shared", time.Minute)
		if err != nil {
			return false
		}
		_, err = w.b.Redis.Lock(t.Context(), "shared", time.Minute)
		unlock()
		return errors.Is(err, coord.ErrHeld)
	})
	until(t, "a value that one put and the other gets", func() bool {
		w.a.Put(t.Context(), "shared", []byte("x"), time.Minute)
		_, ok := w.b.Redis.Get(t.Context(), "shared")
		return ok
	})
	here, there := w.a.Limiter(generous{}), w.b.Limiter(generous{})
	until(t, "a limit that counts both", func() bool {
		key := time.Now().String()
		_, _, one := here.Take(t.Context(), key, 1)
		_, _, two := there.Take(t.Context(), key, 1)
		return one && !two
	})
	w.settle(t)
	until(t, "both to be well", func() bool { _, a := w.a.Degraded(); _, b := w.b.Degraded(); return !a && !b })
}

func with(url, userinfo string) string { return strings.Replace(url, "://", "://"+userinfo+"@", 1) }

func TestRedisPassword(t *testing.T) {
	t.Parallel()
	server, log := testenv.NewRedis(t, "--requirepass", "pa/ss"), &diary{}
	replicas(t, coord.RedisOptions{URL: with(server.URL(), ":pa%2Fss"), Timeout: patience}).shared(t)
	r := open(t, coord.RedisOptions{URL: with(server.URL(), ":s3cret"), Timeout: short, Logger: log.logger()})
	until(t, "it to be refused", func() bool { _, is := r.Degraded(); return is })
	if log.count("s3cret") > 0 || log.count("WRONGPASS") != 1 {
		t.Errorf("it says %s", &log.text)
	}
}

// A user that may do no more than we need is enough.
func TestRedisACL(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	command("ACL", "SETUSER", "sluice", "on", ">pw", "~sluice:*", "&sluice:*", "-@all",
		"+hello", "+auth", "+ping", "+select", "+set", "+get", "+getrange", "+del", "+pttl", "+time", "+eval", "+evalsha",
		"+publish", "+subscribe", "+unsubscribe")(t, server)
	replicas(t, coord.RedisOptions{URL: with(server.URL(), "sluice:pw"), Timeout: patience}).shared(t)
}

func TestRedisDatabases(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	zero := open(t, coord.RedisOptions{URL: server.URL(), Timeout: patience})
	five := open(t, coord.RedisOptions{URL: strings.TrimSuffix(server.URL(), "0") + "5", Timeout: patience})
	for _, r := range []*coord.Redis{zero, five} {
		if _, err := r.Lock(t.Context(), "a", time.Minute); err != nil {
			t.Errorf("each database has its own locks: %v", err)
		}
	}
}

func TestRedisTLS(t *testing.T) {
	t.Parallel()
	port, dir := strconv.Itoa(testenv.FreePort(t)), t.TempDir()
	roots := certificate(t, dir)
	testenv.NewRedis(t, "--tls-port", port, "--tls-auth-clients", "no", "--tls-ca-cert-file", filepath.Join(dir, "cert.pem"),
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"))
	url := "rediss://localhost:" + port
	replicas(t, coord.RedisOptions{URL: url, RootCAs: roots, Timeout: patience}).shared(t)
	log := &diary{}
	r := open(t, coord.RedisOptions{URL: url, Timeout: short, Logger: log.logger()})
	until(t, "a server that nobody vouches for to be refused", func() bool { _, is := r.Degraded(); return is })
	if log.count("x509") != 1 {
		t.Errorf("it says %s", &log.text)
	}
}

// certificate writes one that signs itself.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return roots
}

// When the master is gone, the Sentinel's new one is used.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	master := testenv.NewRedis(t)
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	replica := testenv.NewRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	until(t, "the copy", func() bool {
		return strings.Contains(raw(t, replica.Addr()).Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	sentinel := testenv.NewSentinel(t, "main", master)
	until(t, "the Sentinel to know the copy", func() bool {
		return strings.Contains(raw(t, sentinel.Addr()).Info(t.Context(), "sentinel").Val(), "slaves=1")
	})
	w := replicas(t, coord.RedisOptions{URL: "redis://" + sentinel.Addr() + "?master_name=main", Timeout: short})
	w.shared(t)
	master.Kill(t)
	alone(t, w.a)
	w.shared(t)
	replica.Freeze(t)
	sentinel.Freeze(t)
	alone(t, w.a)
}

// Keys and messages go to the right node of a cluster, whichever is named.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	var nodes []*testenv.Redis
	for i := range 2 {
		bus := testenv.FreePort(t)
		n := testenv.NewRedis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus))
		command("CLUSTER", "ADDSLOTSRANGE", 8192*i, 8192*i+8191)(t, n)
		command("CLUSTER", "SET-CONFIG-EPOCH", i+1)(t, n)
		if i > 0 {
			host, port, err := net.SplitHostPort(n.Addr())
			if err != nil {
				t.Fatal(err)
			}
			command("CLUSTER", "MEET", host, port, bus)(t, nodes[0])
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		until(t, "the nodes to find each other", func() bool {
			return strings.Contains(raw(t, n.Addr()).ClusterInfo(t.Context()).Val(), "cluster_state:ok")
		})
	}
	opts := coord.RedisOptions{URL: nodes[0].URL() + "?cluster=true", Timeout: patience}
	w := replicas(t, opts)
	opts.URL = nodes[1].URL() + "?addr=" + nodes[0].Addr()
	w.b = coord.NewFallback(open(t, opts), 1<<20)
	w.shared(t)
	for i := range 20 { // on both nodes
		name := fmt.Sprint(i)
		if _, err := w.a.Redis.Lock(t.Context(), name, time.Minute); err != nil {
			t.Error(err)
		}
		if _, err := w.b.Redis.Lock(t.Context(), name, time.Minute); !errors.Is(err, coord.ErrHeld) {
			t.Errorf("Lock(%s): %v, want ErrHeld", name, err)
		}
	}
	opts.Timeout = short
	hasty := coord.NewFallback(open(t, opts), 1<<20)
	two{w.a, hasty}.shared(t)
	for _, n := range nodes {
		n.Freeze(t)
	}
	alone(t, hasty)
}
