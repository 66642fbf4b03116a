package charts

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/sluicehq/sluice/internal/session"
)

func generated(t *testing.T, files map[string]string) *corev1.Secret {
	t.Helper()
	for _, s := range all[*corev1.Secret](mustDecode(t, files)) {
		if s.Name == "sluice-generated" {
			return s
		}
	}
	t.Fatal("there is no Secret of what is made up")
	return nil
}

// What is made up is good enough for the daemon, and another one each time.
func TestMadeUpSecrets(t *testing.T) {
	s := generated(t, mustRender(t, "cluster"))
	if len(s.Data) != 4 || s.Annotations["helm.sh/resource-policy"] != "keep" {
		t.Errorf("%d secrets, annotations %v: want 4, kept when the release is uninstalled", len(s.Data), s.Annotations)
	}
	id, key, _ := strings.Cut(string(s.Data["master-key"]), ":")
	if raw, err := base64.StdEncoding.DecodeString(key); id != "k1" || err != nil || len(raw) != 32 {
		t.Errorf("the master key is not an id and 32 bytes: %d bytes, %v", len(raw), err)
	}
	if _, err := session.ParseKeys(string(s.Data["session-keys"])); err != nil {
		t.Errorf("session keys: %v", err)
	}
	if n := len(s.Data["registration-token"]); n < 32 {
		t.Errorf("the registration token has %d characters", n)
	}
	if n := len(s.Data["admin-password"]); n < 24 {
		t.Errorf("the password has %d characters", n)
	}
	if again := generated(t, mustRender(t, "cluster")); reflect.DeepEqual(again.Data, s.Data) {
		t.Error("two installs have the same secrets")
	}
}

// An upgrade keeps what the install made up: Helm asks the cluster for it.
func TestUpgradeKeepsMadeUpSecrets(t *testing.T) {
	was := generated(t, mustRender(t, "cluster"))
	upgraded, err := render(loadChart(t), loadValues(t, "cluster"), clusterWith(t, was))
	if err != nil {
		t.Fatal(err)
	}
	if is := generated(t, upgraded); !reflect.DeepEqual(is.Data, was.Data) {
		t.Error("an upgrade makes up other secrets")
	}

	// A secret that the chart learned of later is made up beside the old ones.
	delete(was.Data, "session-keys")
	upgraded, err = render(loadChart(t), loadValues(t, "cluster"), clusterWith(t, was))
	if err != nil {
		t.Fatal(err)
	}
	is := generated(t, upgraded)
	if len(is.Data["session-keys"]) == 0 || !reflect.DeepEqual(is.Data["master-key"], was.Data["master-key"]) {
		t.Error("a secret that was missing is not made up beside the others")
	}
}

// Pods start anew when a secret that was given changes, and only then.
func TestChecksums(t *testing.T) {
	checksum := func(values string) string {
		files, err := render(loadChart(t), parseValues(t, values), nil)
		if err != nil {
			t.Fatal(err)
		}
		return files["sluice/templates/deployment.yaml"]
	}
	const one, other = "secrets: {databaseUrl: {value: postgres://a}}", "secrets: {databaseUrl: {value: postgres://b}}"
	was := checksum(one)
	if checksum(one) != was {
		t.Error("the same values make other pods")
	}
	if checksum(other) == was {
		t.Error("another database makes no other pods")
	}
	if checksum(one+"\nconfig: {log_level: debug}") == was {
		t.Error("another setting makes no other pods")
	}
}

// clusterWith is a cluster's API that has one Secret.
func clusterWith(t *testing.T, s *corev1.Secret) *rest.Config {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path string, what any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", runtime.ContentTypeJSON)
			if err := json.NewEncoder(w).Encode(what); err != nil {
				t.Error(err)
			}
		})
	}
	answer("/api/v1", metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "v1",
		APIResources: []metav1.APIResource{{Name: "secrets", Namespaced: true, Kind: "Secret", Verbs: metav1.Verbs{"get"}}},
	})
	answer("/api/v1/namespaces/"+namespace+"/secrets/"+s.Name, s)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}
