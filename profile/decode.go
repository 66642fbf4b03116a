package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// decodeProfile reads everything of a ConfigProfile but its extends and data.
func decodeProfile(o *object, p *Profile) {
	p.Name = o.name("name")
	p.Description = o.text("description")
	p.Service = o.name("service")
	p.Environment = choice(o, "environment", Environments())
	p.ServiceType = choice(o, "serviceType", ServiceTypes())
	p.Schema = o.name("schema")
	p.Version = o.text("version")
	if p.Version != "" {
		if _, err := ParseVersion(p.Version); err != nil {
			o.fail(o.t.fields["version"].value, "version", "%s", err)
		}
	}
	for _, must := range []string{"name", "service", "environment"} {
		if f, ok := o.t.fields[must]; !ok || f.value.isNull() {
			o.missing(must)
		} else if f.value.scalar == "" {
			o.fail(f.value, must, "%s is empty", must)
		}
	}
	o.outline.read(o, "serviceType", "").usually(string(Microservice))
	if p.ServiceType == "" {
		p.ServiceType = Microservice
	}
	p.Targets = decodeTargets(o.object("targets"))
	p.Strategy = decodeStrategy(o.object("strategy"), p.Environment)
	p.Health = decodeHealth(o.object("health"), p.Environment)
	p.Windows = decodeWindows(o.object("windows"))
	p.Settings = decodeSettings(o.object("settings"))
}

var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$`)

const maxLabels = 32

func decodeTargets(o *object) Targets {
	if o == nil {
		return Targets{}
	}
	defer o.done()
	labels := o.object("labels")
	if labels == nil {
		return Targets{}
	}
	t := Targets{Labels: map[string]string{}}
	if len(labels.t.keys) > maxLabels {
		o.fail(labels.t, "labels", "labels has %d keys, at most %d are read", len(labels.t.keys), maxLabels)
		return t
	}
	for _, k := range labels.t.keys {
		v := labels.text(k)
		if !labelValue.MatchString(k) {
			labels.fail(labels.t.fields[k].value, k, "label %q must be letters, digits, '.', '_', '/' or '-'", shorten(k))
		}
		if v != "" && !labelValue.MatchString(v) {
			labels.fail(labels.t.fields[k].value, k, "label value %q must be letters, digits, '.', '_', '/' or '-'", shorten(v))
		}
		if v == "" && !labels.alreadyFailed(joinKey(labels.path, k)) {
			labels.fail(labels.t.fields[k].value, k, "label %s has no value", shorten(k))
		}
		t.Labels[k] = v
	}
	return t
}

func decodeStrategy(o *object, env Environment) Strategy {
	kind := DefaultStrategyType(env)
	if o == nil {
		return DefaultStrategy(kind)
	}
	if t := choice(o, "type", StrategyTypes()); t != "" {
		kind = t
	}
	o.outline.read(o, "type", "").usually(string(DefaultStrategyType(env)))
	return decodeStrategyOver(o, DefaultStrategy(kind))
}

// decodeStrategyOver lays the fields of o over a strategy, whose type stays.
func decodeStrategyOver(o *object, s Strategy) Strategy {
	kind := s.Type
	o.flag("autoPromote", &s.AutoPromote)
	o.duration("progressDeadline", &s.ProgressDeadline)
	decodeSteps(o, &s)
	o.duration("phaseInterval", &s.PhaseInterval)
	decodeBatchSize(o, &s)
	o.duration("batchInterval", &s.BatchInterval)
	o.flag("stopOnFailure", &s.StopOnFailure)
	o.integer("maxConcurrency", &s.MaxConcurrency)
	o.duration("verificationPeriod", &s.VerificationPeriod)
	o.duration("keepBlueDuration", &s.KeepBlueDuration)
	if hook := o.name("trafficHook"); hook != "" {
		s.TrafficHook = hook
	}
	o.done()
	for _, t := range StrategyTypes() {
		for _, name := range uses[t] {
			if f, ok := o.t.fields[name]; ok && t != kind {
				o.warn(f.at, name, fmt.Sprintf("%s has no effect on strategy %s, only on %s", name, kind, t))
			}
		}
	}
	o.report(s.Problems())
	return s.onlyUsed().Normalize()
}

// onlyUsed returns s without the fields that its type does not read.
func (s Strategy) onlyUsed() Strategy {
	out := DefaultStrategy(s.Type)
	out.AutoPromote, out.ProgressDeadline = s.AutoPromote, s.ProgressDeadline
	switch s.Type {
	case Canary:
		out.Steps, out.PhaseInterval = s.Steps, s.PhaseInterval
	case Rolling:
		out.BatchSize, out.BatchInterval, out.StopOnFailure = s.BatchSize, s.BatchInterval, s.StopOnFailure
	case BlueGreen:
		out.VerificationPeriod, out.KeepBlueDuration, out.TrafficHook = s.VerificationPeriod, s.KeepBlueDuration, s.TrafficHook
	case Direct:
		out.MaxConcurrency = s.MaxConcurrency
	}
	return out
}

func decodeSteps(o *object, s *Strategy) {
	items := o.list("steps", "percentages")
	o.outline.read(o, "steps", "").usually(stepsText(s.Steps))
	if items == nil {
		return
	}
	s.Steps = nil
	for i, item := range items {
		n, ok := item.integer()
		if !ok {
			o.out.add(item.at.problem(joinIndex(joinKey(o.path, "steps"), i), "a step must be a whole percentage, got "+item.typeName()))
			s.Steps = DefaultStrategy(Canary).Steps
			return
		}
		s.Steps = append(s.Steps, n)
	}
}

func decodeBatchSize(o *object, s *Strategy) {
	t := o.take("batchSize")
	o.outline.read(o, "batchSize", "count or share").usually(s.BatchSize)
	if t == nil {
		return
	}
	switch v := t.scalar.(type) {
	case string:
		s.BatchSize = v
	case json.Number:
		s.BatchSize = canonicalNumber(v.String())
	default:
		o.fail(t, "batchSize", "batchSize must be a count (3) or a share (25%%), got %s", t.typeName())
	}
}

func decodeHealth(o *object, env Environment) Health {
	if o == nil {
		return DefaultHealth(env)
	}
	return decodeHealthOver(o, DefaultHealth(env))
}

// decodeHealthOver lays the fields of o over a health section; metrics take the
// place of those before.
func decodeHealthOver(o *object, h Health) Health {
	o.flag("enabled", &h.Enabled)
	o.duration("checkInterval", &h.CheckInterval)
	o.float("errorRateThreshold", &h.ErrorRateThreshold)
	o.float("latencyThreshold", &h.LatencyThreshold)
	o.float("failedCheckThreshold", &h.FailedCheckThreshold)
	if endpoint := o.text("endpoint"); endpoint != "" {
		h.Endpoint = endpoint
	}
	items := o.list("metrics", "metrics")
	if items != nil {
		h.Metrics = nil
	}
	for i, item := range items {
		at := joinIndex(joinKey(o.path, "metrics"), i)
		if item.kind != mapTree {
			o.out.add(item.at.problem(at, "a metric must be an object, got "+item.typeName()))
			continue
		}
		metric := newObject(item, at, o.out)
		metric.outline = o.outline
		h.Metrics = append(h.Metrics, decodeMetric(metric))
	}
	o.flag("autoRollback", &h.AutoRollback)
	o.done()
	o.report(h.Problems())
	return h
}

func decodeMetric(o *object) Metric {
	m := Metric{Name: o.text("name"), Provider: o.text("provider"), Query: o.text("query")}
	o.outline.choose(o, "provider", []string{ProviderPrometheus, ProviderHeartbeat, ProviderWebhook})
	o.outline.read(o, "provider", "").usually(ProviderPrometheus)
	if m.Provider == "" {
		m.Provider = ProviderPrometheus
	}
	var low, high float64
	if o.float("min", &low) {
		m.Min = &low
	}
	if o.float("max", &high) {
		m.Max = &high
	}
	o.flag("dryRun", &m.DryRun)
	o.done()
	return m
}

func decodeWindows(o *object) Windows {
	if o == nil {
		return Windows{}
	}
	defer o.done()
	items := o.list("deny", "windows")
	w := Windows{Overrun: choice(o, "overrun", Overruns())}
	o.outline.read(o, "overrun", "").usually(string(OverrunFinish))
	if len(items) > maxWindows {
		o.fail(o.t.fields["deny"].value, "deny", "has %d windows, at most %d are read", len(items), maxWindows)
		return w
	}
	for i, item := range items {
		at := joinIndex(joinKey(o.path, "deny"), i)
		s, ok := item.scalar.(string)
		if !ok {
			o.out.add(item.at.problem(at, "a window must be a string, got "+item.typeName()))
			continue
		}
		win, err := ParseWindow(s)
		if err != nil {
			o.out.add(item.at.problem(at, err.Error()))
			continue
		}
		w.Deny = append(w.Deny, win)
	}
	if w.Overrun != "" && items == nil {
		o.warn(o.t.fields["overrun"].value.at, "overrun", "overrun does nothing without deny windows")
	}
	return w
}

const (
	maxSettings     = 100
	maxSettingsSize = 16 << 10
)

func decodeSettings(o *object) map[string]any {
	if o == nil {
		return nil
	}
	if len(o.t.keys) > maxSettings {
		o.out.add(o.t.at.problem(o.path, fmt.Sprintf("settings has %d keys, at most %d are read", len(o.t.keys), maxSettings)))
		return nil
	}
	for _, k := range o.t.keys {
		if !namePattern.MatchString(k) || len(k) > 63 {
			o.out.add(o.t.fields[k].at.problem(joinKey(o.path, k),
				fmt.Sprintf("settings key %q must be letters, digits, '.', '_' or '-', at most 63", shorten(k))))
		}
	}
	v, _ := o.t.value().(map[string]any)
	if size := len(canonicalValue(v)); size > maxSettingsSize {
		o.out.add(o.t.at.problem(o.path, fmt.Sprintf("settings has %d bytes, at most %d are read", size, maxSettingsSize)))
		return nil
	}
	return v
}

var secretPattern = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]{0,254}|vault:[^\s#]{1,512}#[^\s#]{1,253}|k8s:[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}#[A-Za-z0-9._-]{1,253})$`)

// checkSecrets looks through data for what cannot be opened (errors), what will not be opened here and plain secrets
// (warnings).
func (l *loader) checkSecrets(name string, t *tree, key, path string) {
	switch t.kind {
	case mapTree:
		if t.made {
			return
		}
		if ref, ok := t.fields[SecretKey]; ok {
			l.checkSecretRef(name, t, ref, path)
			return
		}
		for _, own := range []string{SealedKey, SopsKey} {
			if f, ok := t.fields[own]; ok {
				l.out.add(f.at.problem(path, own+" is written by Sluice alone: use a reference such as {$secret: \"vault:path#key\"}"))
				return
			}
		}
		if isSecret(t.value2()) {
			warnSecret(t.at, path, l.out)
			return
		}
		for _, k := range t.keys {
			l.checkSecrets(name, t.fields[k].value, k, joinKey(path, k))
		}
	case listTree:
		for i, item := range t.items {
			l.checkSecrets(name, item, key, joinIndex(path, i))
		}
	default:
		if s, ok := t.scalar.(string); ok && secretName(key) && !placeholder.MatchString(s) {
			warnSecret(t.at, path, l.out)
		}
	}
}

// placeholder is text under a secret's name that is no secret: nothing, a variable, an encrypted value.
var placeholder = regexp.MustCompile(`^(\s*|\$\{[^}]*\}|ENC\[.*\]|\*+)$`)

func warnSecret(at place, path string, out *collector) {
	p := at.problem(path, `looks like a plain secret in Git: use a reference such as {$secret: "vault:path#key"}`)
	p.Severity = Warning
	out.add(p)
}

func (l *loader) checkSecretRef(name string, t *tree, ref field, path string) {
	s, ok := ref.value.scalar.(string)
	at := ref.value.at
	if len(t.keys) > 1 {
		at = ref.at
	}
	if msg := secretRefProblem(len(t.keys), s, ok); msg != "" {
		l.out.add(at.problem(path, msg))
		return
	}
	if l.keeper == nil {
		return
	}
	if problem := l.keeper.RefProblem(name, s); problem != "" {
		p := ref.value.at.problem(path, "the secret will not open: "+problem)
		p.Severity = Warning
		l.out.add(p)
	}
}

// secretRefProblem says what is wrong with a map of so many keys that has the key $secret, "" when nothing is.
func secretRefProblem(keys int, ref string, isText bool) string {
	switch {
	case keys > 1:
		return "a secret reference has no key beside $secret"
	case !isText || !secretPattern.MatchString(ref):
		return `a secret reference must be "vault:path#key", "env:NAME" or "k8s:namespace/name#key"`
	}
	return ""
}

// value2 is value for a map of two keys, the only size a {"type": "secret"} value has; nil for all others, which saves copying them.
func (t *tree) value2() any {
	if t.kind != mapTree || len(t.keys) != 2 {
		return nil
	}
	return t.value()
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func quote(s string) string { return strconv.Quote(shorten(s)) }
