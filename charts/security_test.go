package charts

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
)

// pod is what an object starts pods of.
type pod struct {
	name string
	meta *metav1.ObjectMeta
	spec *corev1.PodSpec
}

func podsOf(objects []runtime.Object) []pod {
	var pods []pod
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			pods = append(pods, pod{nameOf(o), &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec})
		case *batchv1.Job:
			pods = append(pods, pod{nameOf(o), &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec})
		case *corev1.Pod:
			pods = append(pods, pod{nameOf(o), &o.ObjectMeta, &o.Spec})
		}
	}
	return pods
}

// restricted says why a namespace that enforces the restricted standard would
// not let a pod in.
func restricted(t *testing.T) func(pod) string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	return func(p pod) string {
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, p.meta, p.spec))
		return result.ForbiddenDetail()
	}
}

// Every pod may run in a namespace that enforces the restricted standard.
func TestPodSecurity(t *testing.T) {
	refusal := restricted(t)
	for _, scenario := range scenarios(t) {
		pods := podsOf(mustDecode(t, mustRender(t, scenario)))
		if len(pods) == 0 {
			t.Errorf("%s starts no pods", scenario)
		}
		for _, p := range pods {
			if why := refusal(p); why != "" {
				t.Errorf("%s: %s: %s", scenario, p.name, why)
			}
			for _, c := range p.spec.Containers {
				if s := c.SecurityContext; s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
					t.Errorf("%s: %s: the root of %s can be written to", scenario, p.name, c.Name)
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: %s: %s has no bounds", scenario, p.name, c.Name)
				}
			}
			p.spec.SecurityContext.RunAsNonRoot = nil
			if refusal(p) == "" {
				t.Errorf("%s: %s would be let in as root too: this test sees nothing", scenario, p.name)
			}
		}
	}
}

// Nobody holds a token of the cluster who was not given a use for it.
func TestServiceAccountTokens(t *testing.T) {
	for scenario, want := range map[string]bool{"cluster": false, "single": false, "existing": false, "everything": true} {
		for _, p := range podsOf(mustDecode(t, mustRender(t, scenario))) {
			has := p.spec.AutomountServiceAccountToken == nil || *p.spec.AutomountServiceAccountToken
			if has != (want && strings.HasPrefix(p.name, "Deployment")) {
				t.Errorf("%s: %s has a token: %v", scenario, p.name, has)
			}
		}
	}
}
