package charts

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The examples are what the API takes, run restricted, and mount what they have.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	refusal := restricted(t)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := decodeFile(string(raw))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, o := range objects {
			var template corev1.PodTemplateSpec
			var selector *metav1.LabelSelector
			volumes := map[string]bool{}
			switch o := o.(type) {
			case *appsv1.Deployment:
				template, selector = o.Spec.Template, o.Spec.Selector
			case *appsv1.StatefulSet:
				template, selector = o.Spec.Template, o.Spec.Selector
				for _, claim := range o.Spec.VolumeClaimTemplates {
					volumes[claim.Name] = true
				}
			default:
				t.Fatalf("%s: %s is nothing that this test knows", file, nameOf(o))
			}
			if !selects(selector, template.Labels) {
				t.Errorf("%s: %s does not select its own pods", file, nameOf(o))
			}
			if why := refusal(pod{nameOf(o), &template.ObjectMeta, &template.Spec}); why != "" {
				t.Errorf("%s: %s: %s", file, nameOf(o), why)
			}
			sidecar(t, file, template.Spec, volumes)
		}
	}
}

func sidecar(t *testing.T, file string, spec corev1.PodSpec, volumes map[string]bool) {
	t.Helper()
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	if len(spec.InitContainers) != 1 || spec.InitContainers[0].RestartPolicy == nil || *spec.InitContainers[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Fatalf("%s: the agent is no native sidecar", file)
	}
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: %s mounts %s, which is not there", file, c.Name, m.Name)
			}
		}
	}
}
