package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/testenv"
)

var update = flag.Bool("update", false, "write the list of docs/metrics.md again")

const (
	metricsPage = "../../docs/metrics.md"
	beginList   = "<!-- metrics: written by go test ./internal/e2e -run TestWatching -update -->\n"
	endList     = "<!-- end of metrics -->\n"
)

// listed holds the page of all metrics to what the daemons say of themselves:
// this one, and one that serves TLS and keeps snapshots.
func (w *watched) listed() {
	w.t.Helper()
	families := parsed(w.t, strings.NewReader(w.get("/metrics")))
	maps.Copy(families, withTLS(w.t))
	want := list(families)
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		w.t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), beginList)
	old, after, ok2 := strings.Cut(rest, endList)
	if !ok || !ok2 {
		w.t.Fatalf("%s has lost the marks of its list", metricsPage)
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(before+beginList+want+endList+after), 0o644); err != nil {
			w.t.Fatal(err)
		}
	} else if old != want {
		w.t.Errorf("%s is out of date: go test ./internal/e2e -run TestWatching -update", metricsPage)
	}
	for _, name := range inTheCode(w.t) {
		if families[name] == nil {
			w.t.Errorf("%s is in the code, and no daemon here shows it: give it its labels at the start", name)
		}
	}
}

func parsed(t *testing.T, text io.Reader) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// withTLS reads the metrics of a daemon that serves TLS, on a database file.
func withTLS(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	borrowed := httptest.NewTLSServer(http.NotFoundHandler())
	defer borrowed.Close()
	pair := borrowed.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, private: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := newDaemon(t, testenv.Binary(t), "--tls-cert-file", cert, "--tls-key-file", private)
	newSnapshots(t).settings(d, "directory: "+dir)
	d.launch()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	var body []byte
	eventually(t, "the daemon with TLS to be scraped", func() bool {
		resp, err := c.Get("https://" + d.addr + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return parsed(t, bytes.NewReader(body))
}

// list is the table of all that is Sluice's own.
func list(families map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("\n| metric | type | labels | unit | what it is |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "sluice_") {
			continue
		}
		f := families[name]
		labels := map[string]bool{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), unit(name), f.GetHelp())
	}
	b.WriteString("\n")
	return b.String()
}

func unit(name string) string {
	switch {
	case strings.HasSuffix(name, "_timestamp_seconds"):
		return "seconds since 1970"
	case strings.HasSuffix(name, "_seconds"):
		return "seconds"
	}
	return ""
}

var inCode = regexp.MustCompile(`(?:Name: +|NewDesc\(|\{)"(sluice_[a-z_]+)",`)

// inTheCode are the metrics that stand in the daemon's code.
func inTheCode(t *testing.T) (names []string) {
	t.Helper()
	for _, folder := range []string{"cmd/sluice", "api", "internal/telemetry"} {
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range inCode.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
		}
	}
	if len(names) < 50 {
		t.Errorf("%d metrics stand in the code: is the pattern right?", len(names))
	}
	return names
}
