package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
)

// pair makes a certificate of 127.0.0.1 and its key, in PEM.
func pair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A renewed certificate is served without a restart; one that does not fit is
// told once, and the one before is served on.
func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now, out, failures := time.Now(), &lines{}, 0
	c := &certificate{
		certFile: filepath.Join(dir, "cert"), keyFile: filepath.Join(dir, "key"), log: slog.New(slog.NewTextHandler(out, nil)),
		now: func() time.Time { return now }, failed: func() { failures++ },
	}
	serial := func() int64 {
		t.Helper()
		now = now.Add(certificateAge)
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	cert, key := pair(t, 1)
	writeFile(t, c.certFile, cert)
	writeFile(t, c.keyFile, key)
	if err := c.reload(); err != nil || serial() != 1 {
		t.Fatalf("the first: %v", err)
	}
	next, nextKey := pair(t, 2)
	writeFile(t, c.certFile, next) // its key is not there yet
	serial()
	if serial() != 1 || failures != 1 || strings.Count(out.String(), "level=ERROR") != 1 {
		t.Errorf("a pair that does not fit: %d failures, log %s", failures, out)
	}
	if strings.Contains(out.String(), "PRIVATE") {
		t.Errorf("the log has the key: %s", out)
	}
	writeFile(t, c.keyFile, nextKey)
	if serial() != 2 || c.expires() < float64(now.Unix()) {
		t.Error("the renewed pair is not served")
	}
	if err := os.Remove(c.keyFile); err != nil {
		t.Fatal(err)
	}
	if serial() != 2 {
		t.Error("a missing file ends the service")
	}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, _ := pair(t, 1)
	_, key := pair(t, 2)
	writeFile(t, filepath.Join(dir, "cert"), cert)
	writeFile(t, filepath.Join(dir, "key"), key)
	for _, conf := range []settings.Settings{
		{TLSCertFile: filepath.Join(dir, "none"), TLSKeyFile: filepath.Join(dir, "key")},
		{TLSCertFile: filepath.Join(dir, "cert"), TLSKeyFile: filepath.Join(dir, "key")},
	} {
		if _, err := openTLS(conf, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), "tls_cert_file") {
			t.Errorf("gave %v", err)
		}
	}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := pair(t, 7)
	writeFile(t, filepath.Join(dir, "cert"), cert)
	writeFile(t, filepath.Join(dir, "key"), key)
	server, _, _ := startDaemon(t, "--data-dir", filepath.Join(dir, "data"), "--tls-cert-file", filepath.Join(dir, "cert"), "--tls-key-file", filepath.Join(dir, "key"))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	get := func(conf *tls.Config) (*http.Response, error) {
		conf.RootCAs = roots
		transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(server, "http://", "https://", 1)+"/healthz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return (&http.Client{Transport: transport}).Do(req)
	}
	resp, err := get(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") == "" || resp.ProtoMajor != 2 {
		t.Errorf("answered %d by HTTP/%d with %v", resp.StatusCode, resp.ProtoMajor, resp.Header)
	}
	if old, err := get(&tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
		old.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
}
