package charts

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
)

var update = flag.Bool("update", false, "write what is generated again: golden files, tables, copies")

const (
	chartFolder = "sluice"
	namespace   = "sluice-system"
)

// scenarios are the values files that every rule is tried on.
func scenarios(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d values files, %v", len(files), err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".yaml")
	}
	return names
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func loadValues(t *testing.T, scenario string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/values", scenario+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parseValues(t, string(raw))
}

// parseValues reads values as the command line does.
func parseValues(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// render makes the files of a release, NOTES.txt too. A cluster, if there is
// one, is asked what the release made up before.
func render(c *chart.Chart, values map[string]any, cluster *rest.Config) (map[string]string, error) {
	release := common.ReleaseOptions{Name: "sluice", Namespace: namespace, Revision: 1, IsInstall: cluster == nil, IsUpgrade: cluster != nil}
	all, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	if cluster != nil {
		return engine.RenderWithClient(c, all, cluster)
	}
	return engine.Render(c, all)
}

func mustRender(t *testing.T, scenario string) map[string]string {
	t.Helper()
	files, err := render(loadChart(t), loadValues(t, scenario), nil)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// strict decodes the kinds that the chart may have, and refuses a field that
// the API does not know.
var strict = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme,
		policyv1.AddToScheme, rbacv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// decode reads the objects of rendered files, in the order of their names.
func decode(files map[string]string) ([]runtime.Object, error) {
	var objects []runtime.Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		more, err := decodeFile(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, more...)
	}
	return objects, nil
}

func decodeFile(text string) ([]runtime.Object, error) {
	var objects []runtime.Object
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		object, _, err := strict.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		objects = append(objects, object)
	}
}

func mustDecode(t *testing.T, files map[string]string) []runtime.Object {
	t.Helper()
	objects, err := decode(files)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// all picks the objects of one type.
func all[T runtime.Object](objects []runtime.Object) []T {
	var picked []T
	for _, o := range objects {
		if t, ok := o.(T); ok {
			picked = append(picked, t)
		}
	}
	return picked
}

// one is the only object of its type.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) T {
	t.Helper()
	picked := all[T](objects)
	if len(picked) != 1 {
		t.Fatalf("%d objects of %T, want one", len(picked), *new(T))
	}
	return picked[0]
}

// named is the object of that type and name.
func named[T runtime.Object](t *testing.T, objects []runtime.Object, name string) T {
	t.Helper()
	var picked []T
	for _, o := range all[T](objects) {
		if meta, ok := runtime.Object(o).(metav1.Object); ok && meta.GetName() == name {
			picked = append(picked, o)
		}
	}
	if len(picked) != 1 {
		t.Fatalf("%d objects of %T are called %s, want one", len(picked), *new(T), name)
	}
	return picked[0]
}

// server is the Deployment of what decides, beside that of the watch replicas.
func server(t *testing.T, objects []runtime.Object) *appsv1.Deployment {
	t.Helper()
	for _, d := range all[*appsv1.Deployment](objects) {
		if d.Labels["app.kubernetes.io/component"] == "server" {
			return d
		}
	}
	t.Fatal("no Deployment is of what decides")
	return nil
}

// nameOf is how an object is called in what a test says.
func nameOf(o runtime.Object) string {
	meta, ok := o.(metav1.Object)
	if !ok {
		return fmt.Sprintf("%T", o)
	}
	return fmt.Sprintf("%s %s", o.GetObjectKind().GroupVersionKind().Kind, meta.GetName())
}
