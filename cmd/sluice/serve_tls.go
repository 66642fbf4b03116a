package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
)

// certificateAge is how long a certificate is served without a look at its file.
const certificateAge = time.Second

// certificate is the one that is served. Its files are looked at when somebody
// connects, so that a renewed one needs no restart; a pair that does not fit
// leaves the one before in place.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time
	failed            func()

	mu        sync.Mutex
	looked    time.Time
	cert, key []byte // as last read, good or not
	served    *tls.Certificate
}

// openTLS reads the certificate; nil when none is set.
func openTLS(conf settings.Settings, log *slog.Logger, registry prometheus.Registerer) (*tls.Config, error) {
	if conf.TLSCertFile == "" {
		return nil, nil
	}
	failures := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_tls_reload_failures_total", Help: "Changed certificates that could not be taken: the one before is served on.",
	})
	c := &certificate{certFile: conf.TLSCertFile, keyFile: conf.TLSKeyFile, log: log, now: time.Now, failed: failures.Inc}
	if err := c.reload(); err != nil {
		return nil, err
	}
	registry.MustRegister(failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_tls_certificate_expires_timestamp_seconds", Help: "When the certificate that is served expires, in seconds since 1970.",
	}, c.expires))
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// get gives the certificate to somebody who connects.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= certificateAge {
		c.looked = now
		if err := c.reload(); err != nil {
			c.failed()
			c.log.Error("the changed certificate is not served, the one before is", "error", err)
		}
	}
	return c.served, nil
}

// reload takes the pair if it changed. One that is wrong is an error once.
func (c *certificate) reload() error {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return fmt.Errorf("tls_cert_file: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return fmt.Errorf("tls_key_file: %w", err)
	}
	if bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return nil
	}
	c.cert, c.key = cert, key
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("tls_cert_file and tls_key_file: %w", err)
	}
	if c.served != nil {
		c.log.Info("a changed certificate is served", "expires", pair.Leaf.NotAfter)
	}
	c.served = &pair
	return nil
}

func (c *certificate) expires() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return float64(c.served.Leaf.NotAfter.Unix())
}
