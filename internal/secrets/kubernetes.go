package secrets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// KubernetesOptions are what NewKubernetes needs.
type KubernetesOptions struct {
	URL        string
	TokenFile  string // read at every request: the cluster replaces it
	CAFile     string
	Namespaces []string // whose secrets may be read
	Timeout    time.Duration
}

// Kubernetes is the provider of k8s: references: secrets of a cluster, read by
// its API as the daemon's service account.
type Kubernetes struct {
	opts   KubernetesOptions
	client *http.Client
}

// NewKubernetes reads the certificates; it asks nobody.
func NewKubernetes(opts KubernetesOptions) (*Kubernetes, error) {
	client, err := httpClient(opts.CAFile)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	client.Timeout = opts.Timeout
	opts.URL = strings.TrimRight(opts.URL, "/")
	return &Kubernetes{opts: opts, client: client}, nil
}

var kubernetesRef = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)/([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)#([-A-Za-z0-9_.]{1,253})$`)

// Check refuses what is not namespace/name#key of a namespace that may be read.
func (k *Kubernetes) Check(ref string) error {
	m := kubernetesRef.FindStringSubmatch(ref)
	if m == nil || strings.Contains(m[3], "..") {
		return errors.New("the reference is not namespace/name#key")
	}
	if !slices.Contains(k.opts.Namespaces, m[1]) {
		return errors.New("the namespace is not in secrets.kubernetes.namespaces")
	}
	return nil
}

// Fetch reads one key of a secret.
func (k *Kubernetes) Fetch(ctx context.Context, ref string) (string, error) {
	if err := k.Check(ref); err != nil {
		return "", err
	}
	m := kubernetesRef.FindStringSubmatch(ref)
	namespace, name, key := m[1], m[3], m[5]
	token, err := os.ReadFile(k.opts.TokenFile)
	if err != nil {
		return "", errors.New("the token of the service account cannot be read: see secrets.kubernetes.token_file")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.opts.URL+"/api/v1/namespaces/"+namespace+"/secrets/"+name, http.NoBody)
	if err != nil {
		return "", errors.New("the address of the API is not valid")
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Accept", "application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return "", away("the API does not answer")
	}
	defer res.Body.Close()
	if err := kubernetesStatus(res.StatusCode); err != nil {
		return "", err
	}
	var secret struct {
		Data map[string]string `json:"data"`
	}
	if err := json.NewDecoder(res.Body).Decode(&secret); err != nil {
		return "", away("the API's answer is cut short, or no secret")
	}
	return kubernetesValue(secret.Data, key)
}

func kubernetesStatus(status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized:
		return away("the API does not take the token of the service account")
	case status == http.StatusForbidden:
		return errors.New("permission denied: the service account may not get this secret")
	case status == http.StatusNotFound:
		return errors.New("there is no such secret")
	case status == http.StatusTooManyRequests || status >= 500:
		return away(fmt.Sprintf("the API answers %d", status))
	}
	return fmt.Errorf("the API answers %d", status)
}

func kubernetesValue(data map[string]string, key string) (string, error) {
	encoded, ok := data[key]
	if !ok {
		return "", errors.New("the secret has no such key")
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(raw) {
		return "", errors.New("the key holds no text")
	}
	return string(raw), nil
}
