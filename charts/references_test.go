package charts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// Objects fit together: whom each of them names is there and means it.
func TestReferences(t *testing.T) {
	for _, scenario := range scenarios(t) {
		for _, problem := range dangling(t, mustDecode(t, mustRender(t, scenario))) {
			t.Errorf("%s: %s", scenario, problem)
		}
	}
}

// One word changed in a template is found: the checks above do look.
func TestReferencesAreChecked(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"service.yaml", `selector: {{- include "sluice.serverSelector"`, `selector: {{- include "sluice.selector"`, "selects Job"},
		{"service.yaml", `selector: {{- include "sluice.serverSelector"`, `selector: {{- include "sluice.selector"`, "selects Deployment config-rollout-watch"},
		{"service.yaml", "targetPort: http", "targetPort: web", "port web"},
		{"_daemon.tpl", `matchLabels: {{- include "sluice.podSelector" (dict "root" . "component" $component) | nindent 6 }}`, "matchLabels: {app: sluice}", "does not select its own pods"},
		{"_daemon.tpl", `"component" $component) | nindent 14`, `"component" "server") | nindent 14`, "the spread over topology.kubernetes.io/zone selects Deployment config-rollout"},
		{"_daemon.tpl", "path: /readyz, port: http", "path: /readyz, port: https", "port https"},
		{"_daemon.tpl", "configMap: {name: {{ $fullname }}}", "configMap: {name: {{ $fullname }}-config}", "ConfigMap config-rollout-config is not there"},
		{"_daemon.tpl", "{name: data, mountPath: /var/lib/sluice}", "{name: cache, mountPath: /var/lib/sluice}", "volume cache"},
		{"_secrets.tpl", "items: [{key: {{ $entry.key | quote }}", "items: [{key: {{ $setting | quote }}", "has no key database_url"},
		{"migration.yaml", `include "sluice.migrationHook" "-10"`, `include "sluice.migrationHook" "0"`, "is not there before Job"},
		{"migration.yaml", "secretName: {{ default $name $url.existingSecret }}", `secretName: {{ include "sluice.fullname" . }}`, "is not there before Job"},
		{"autoscaler.yaml", "\"name\" (include \"sluice.fullname\" .) \"values\"", "\"name\" \"sluice-server\" \"values\"", "scales sluice-server"},
		{"disruption-budget.yaml", `matchLabels: {{- include "sluice.serverSelector" . | nindent 6 }}`, "matchLabels: {tier: server}", "selects no pods"},
		{"watch.yaml", `"component" "watch") | nindent 4 }}`, `"component" "server") | nindent 4 }}`, "Service config-rollout-watch selects Deployment config-rollout"},
		{"watch.yaml", `"component" "watch") | nindent 6 }}`, `"component" "server") | nindent 6 }}`, "PodDisruptionBudget config-rollout-watch selects Deployment config-rollout"},
		{"watch.yaml", `"sluice.autoscaler" (dict "name" $name`, `"sluice.autoscaler" (dict "name" "sluice"`, "scales sluice"},
		{"ingress.yaml", `{{ include "sluice.instancesName" $ }}`, `{{ include "sluice.fullname" $ }}`, "leads /api/v1/instances to config-rollout"},
		{"ingress.yaml", "path: /api/v1/instances", "path: /instances", "leads instances to no watch replicas"},
		{"ingress.yaml", "port: {name: http}", "port: {name: https}", "port https"},
		{"service-monitor.yaml", "- port: http", "- port: metrics", "port metrics"},
		{"service-monitor.yaml", `{{- include "sluice.daemonsSelector" . | nindent 4 }}`, `{matchLabels: {app.kubernetes.io/component: server}}`, "does not select Service config-rollout-watch"},
		{"network-policy.yaml", "port: http, protocol", "port: api, protocol", "port api"},
		{"network-policy.yaml", `{{- include "sluice.daemonsSelector" . | nindent 4 }}`, `{matchLabels: {app.kubernetes.io/component: server}}`, "no NetworkPolicy is for Deployment config-rollout-watch"},
		{"secret-readers.yaml", `name: {{ include "sluice.serviceAccount" $ }}`, "name: sluice-reader", "ServiceAccount sluice-reader"},
		{"tests/healthcheck.yaml", "{{ .Values.service.port }}", "80", "asks http://config-rollout:80"},
	} {
		t.Run(c.file+" "+c.want, func(t *testing.T) {
			edited := loadChart(t)
			name := "templates/" + c.file
			for _, f := range edited.Templates {
				if f.Name != name {
					continue
				}
				if !strings.Contains(string(f.Data), c.old) {
					t.Fatalf("%s has no %q to change", name, c.old)
				}
				f.Data = []byte(strings.Replace(string(f.Data), c.old, c.new, 1))
				if c.file == "migration.yaml" {
					f.Data = []byte(strings.ReplaceAll(string(f.Data), c.old, c.new))
				}
			}
			files, err := render(edited, loadValues(t, "everything"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if problems := dangling(t, mustDecode(t, files)); !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("%q is not found: %q", c.want, problems)
			}
		})
	}
}

// complaints collects what does not fit.
type complaints []string

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

func dangling(t *testing.T, objects []runtime.Object) []string {
	var c complaints
	pods := podsOf(objects)
	for _, p := range pods {
		c.volumes(p, objects)
		c.portNames(p)
		if p.spec.ServiceAccountName != "" {
			c.serviceAccount(p.name, p.spec.ServiceAccountName, objects)
		}
	}
	for _, d := range all[*appsv1.Deployment](objects) {
		c.daemons(t, d, pods, objects)
	}
	c.doors(objects)
	c.policies(pods, objects)
	c.roles(objects)
	return c
}

// daemons: the Service, the bound and the autoscaler of a Deployment have its
// name, and mean its pods and no others.
func (c *complaints) daemons(t *testing.T, d *appsv1.Deployment, pods []pod, objects []runtime.Object) {
	own := d.Spec.Template
	if !selects(d.Spec.Selector, own.Labels) {
		c.add("%s does not select its own pods", nameOf(d))
	}
	for _, spread := range own.Spec.TopologySpreadConstraints {
		c.only("the spread over "+spread.TopologyKey, spread.LabelSelector, nameOf(d), pods)
	}
	service := named[*corev1.Service](t, objects, d.Name)
	c.only(nameOf(service), metav1.SetAsLabelSelector(service.Spec.Selector), nameOf(d), pods)
	for _, p := range service.Spec.Ports {
		if !slices.ContainsFunc(own.Spec.Containers[0].Ports, func(cp corev1.ContainerPort) bool { return cp.Name == p.TargetPort.StrVal }) {
			c.add("%s leads to port %s, which no container has", nameOf(service), p.TargetPort.StrVal)
		}
	}
	for _, b := range all[*policyv1.PodDisruptionBudget](objects) {
		if b.Name == d.Name {
			c.only(nameOf(b), b.Spec.Selector, nameOf(d), pods)
		}
	}
	for _, h := range all[*autoscalingv2.HorizontalPodAutoscaler](objects) {
		if h.Name != d.Name {
			continue
		}
		if h.Spec.ScaleTargetRef.Name != d.Name {
			c.add("%s scales %s", nameOf(h), h.Spec.ScaleTargetRef.Name)
		}
		if d.Spec.Replicas != nil {
			c.add("%s says how many replicas there are, beside %s", nameOf(d), nameOf(h))
		}
	}
}

// only: a selector picks the pods of one Deployment, and no others.
func (c *complaints) only(who string, selector *metav1.LabelSelector, of string, pods []pod) {
	found := false
	for _, p := range pods {
		if !selects(selector, p.meta.Labels) {
			continue
		}
		if p.name == of {
			found = true
			continue
		}
		c.add("%s selects %s", who, p.name)
	}
	if !found {
		c.add("%s selects no pods of %s", who, of)
	}
}

func selects(selector *metav1.LabelSelector, of map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(of))
}

// instancesPath is what watch replicas serve, where there are some.
const instancesPath = "/api/v1/instances"

// doors: whoever leads to a Service names it and a port of it, and what
// instances ask for leads to watch replicas where there are some.
func (c *complaints) doors(objects []runtime.Object) {
	services := map[string]*corev1.Service{}
	main := ""
	for _, s := range all[*corev1.Service](objects) {
		services[s.Name] = s
		if main == "" || len(s.Name) < len(main) {
			main = s.Name
		}
	}
	has := func(who, service, port string) {
		if services[service] == nil {
			c.add("%s leads to %s, which is not there", who, service)
		} else if !slices.ContainsFunc(services[service].Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == port }) {
			c.add("%s leads to port %s, which %s does not have", who, port, nameOf(services[service]))
		}
	}
	for _, i := range all[*networkingv1.Ingress](objects) {
		for _, rule := range i.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				want := main
				if path.Path == instancesPath && services[main+"-watch"] != nil {
					want += "-watch"
				}
				if path.Backend.Service.Name != want {
					c.add("%s leads %s to %s", nameOf(i), path.Path, path.Backend.Service.Name)
				}
				has(nameOf(i), path.Backend.Service.Name, path.Backend.Service.Port.Name)
			}
			if services[main+"-watch"] != nil && !slices.ContainsFunc(rule.HTTP.Paths, func(p networkingv1.HTTPIngressPath) bool { return p.Path == instancesPath }) {
				c.add("%s leads instances to no watch replicas", nameOf(i))
			}
		}
	}
	for _, m := range all[*monitoringv1.ServiceMonitor](objects) {
		for _, service := range services {
			if !selects(&m.Spec.Selector, service.Labels) {
				c.add("%s does not select %s", nameOf(m), nameOf(service))
			}
			for _, e := range m.Spec.Endpoints {
				has(nameOf(m), service.Name, e.Port)
			}
		}
	}
	for _, p := range all[*corev1.Pod](objects) {
		args := p.Spec.Containers[0].Args
		if url := fmt.Sprintf("http://%s:%d", main, services[main].Spec.Ports[0].Port); !slices.Contains(args, url) {
			c.add("%s asks %s, want %s", nameOf(p), args[len(args)-1], url)
		}
	}
}

// policies: each has pods, and names ports that these have.
func (c *complaints) policies(pods []pod, objects []runtime.Object) {
	for _, n := range all[*networkingv1.NetworkPolicy](objects) {
		i := slices.IndexFunc(pods, func(p pod) bool { return selects(&n.Spec.PodSelector, p.meta.Labels) })
		if i < 0 {
			c.add("%s selects no pods", nameOf(n))
			continue
		}
		for _, rule := range n.Spec.Ingress {
			for _, port := range rule.Ports {
				if !hasPort(pods[i].spec.Containers[0], port.Port.StrVal) {
					c.add("%s opens port %s, which %s does not have", nameOf(n), port.Port, pods[i].name)
				}
			}
		}
	}
	for _, p := range pods {
		if len(all[*networkingv1.NetworkPolicy](objects)) > 0 && strings.HasPrefix(p.name, "Deployment") && !slices.ContainsFunc(all[*networkingv1.NetworkPolicy](objects),
			func(n *networkingv1.NetworkPolicy) bool { return selects(&n.Spec.PodSelector, p.meta.Labels) }) {
			c.add("no NetworkPolicy is for %s", p.name)
		}
	}
}

func hasPort(container corev1.Container, name string) bool {
	return slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
}

func (c *complaints) portNames(p pod) {
	for _, container := range p.spec.Containers {
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
			if probe != nil && !hasPort(container, probe.HTTPGet.Port.StrVal) {
				c.add("%s is probed at port %s, which it does not have", p.name, probe.HTTPGet.Port.StrVal)
			}
		}
	}
}

func (c *complaints) roles(objects []runtime.Object) {
	for _, b := range all[*rbacv1.RoleBinding](objects) {
		if !slices.ContainsFunc(all[*rbacv1.Role](objects), func(r *rbacv1.Role) bool { return r.Name == b.RoleRef.Name && r.Namespace == b.Namespace }) {
			c.add("%s of %s binds %s, which is not there", nameOf(b), b.Namespace, b.RoleRef.Name)
		}
		for _, s := range b.Subjects {
			c.serviceAccount(nameOf(b), s.Name, objects)
		}
	}
}

func (c *complaints) serviceAccount(who, name string, objects []runtime.Object) {
	theirs := []string{"default", "deployer"}
	if !slices.Contains(theirs, name) && !slices.ContainsFunc(all[*corev1.ServiceAccount](objects), func(a *corev1.ServiceAccount) bool { return a.Name == name }) {
		c.add("%s names ServiceAccount %s, which is not there", who, name)
	}
}

// volumes: what a pod mounts is there, with its keys, and before a hook needs it.
func (c *complaints) volumes(p pod, objects []runtime.Object) {
	names := map[string]bool{}
	for _, v := range p.spec.Volumes {
		names[v.Name] = true
		switch {
		case v.ConfigMap != nil:
			c.holds(p, "ConfigMap", v.ConfigMap.Name, v.ConfigMap.Items, objects)
		case v.Secret != nil:
			c.holds(p, "Secret", v.Secret.SecretName, v.Secret.Items, objects)
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				c.holds(p, "Secret", s.Secret.Name, s.Secret.Items, objects)
			}
		case v.PersistentVolumeClaim != nil:
			if name := v.PersistentVolumeClaim.ClaimName; !slices.ContainsFunc(all[*corev1.PersistentVolumeClaim](objects), func(k *corev1.PersistentVolumeClaim) bool { return k.Name == name }) {
				c.add("%s mounts claim %s, which is not there", p.name, name)
			}
		}
	}
	for _, container := range p.spec.Containers {
		for _, m := range container.VolumeMounts {
			if !names[m.Name] {
				c.add("%s mounts volume %s, which is not there", p.name, m.Name)
			}
		}
		for _, e := range container.EnvFrom {
			c.holds(p, "Secret", e.SecretRef.Name, nil, objects)
		}
	}
}

func (c *complaints) holds(p pod, kind, name string, items []corev1.KeyToPath, objects []runtime.Object) {
	for known := range theirs {
		if strings.HasPrefix(known, name+"/") {
			return // what they hold is looked at by TestSettings
		}
	}
	for _, o := range objects {
		keys := map[string]bool{}
		switch o := o.(type) {
		case *corev1.Secret:
			for key := range o.Data {
				keys[key] = true
			}
		case *corev1.ConfigMap:
			for key := range o.Data {
				keys[key] = true
			}
		}
		if nameOf(o) != kind+" "+name {
			continue
		}
		if strings.HasPrefix(p.name, "Job") && !before(o.(metav1.Object), all[*batchv1.Job](objects)[0]) {
			c.add("%s is not there before %s", nameOf(o), p.name)
		}
		for _, item := range items {
			if !keys[item.Key] {
				c.add("%s has no key %s, which %s mounts", nameOf(o), item.Key, p.name)
			}
		}
		return
	}
	c.add("%s %s is not there, which %s mounts", kind, name, p.name)
}

// before: an object is a hook of the same moments as the Job, and of a lower weight.
func before(o, job metav1.Object) bool {
	weight := func(o metav1.Object) int {
		n, err := strconv.Atoi(o.GetAnnotations()["helm.sh/hook-weight"])
		if err != nil {
			return 1 << 20
		}
		return n
	}
	return o.GetAnnotations()["helm.sh/hook"] == job.GetAnnotations()["helm.sh/hook"] && weight(o) < weight(job)
}
