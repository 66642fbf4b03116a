package profile

import "maps"

// text is what people write about a field; everything else is asked of the decoders.
type text struct {
	about   string
	holds   string // in place of the type that the decoder knows
	unit    string
	limits  string
	example string
}

func (t text) field(path, kind string) Field {
	if t.holds != "" {
		kind = t.holds
	}
	return Field{Path: path, Type: kind, Unit: t.unit, Limits: t.limits, Description: t.about, Example: t.example}
}

const durationLimits = "more than 0, at most 30 days"

// headTexts explain what every file has.
var headTexts = map[string]text{
	"apiVersion":  {about: "The version of the format.", limits: APIVersion, example: "apiVersion: " + APIVersion},
	"kind":        {about: "What the file is: a ConfigProfile, or a ConfigBase that profiles extend."},
	"description": {about: "For people. It is shown where the profile is.", limits: "at most 4096 bytes"},
	"data": {
		holds: "object", about: "The configuration itself, as the service reads it. It is laid over what extends names; two objects merge key by key, anything else replaces what is below, null removes a key from it. A secret is a reference, never a plain value.",
		limits:  "at most 1 MiB and 50,000 values, 64 levels deep",
		example: "data:\n  timeout: 200ms\n  maxRetries: 3\n  apiKey: {$secret: \"vault:secret/payment#api_key\"}",
	},
	"extends": {
		about: "Files whose data lies below this file's, the first lowest. They are named relative to this file, and lie inside the source's path.", limits: "at most 16 files, 16 levels deep",
		example: "extends: [../base.yaml, region.yaml]",
	},
}

// baseTexts explain a ConfigBase.
var baseTexts = with(headTexts, map[string]text{
	"": {about: "Data that profiles extend. By itself it reaches no instance.", example: "apiVersion: sluice/v1\nkind: ConfigBase\ndata: {logging: {level: info}}"},
})

// profileTexts explain a ConfigProfile.
var profileTexts = with(headTexts, map[string]text{
	"": {
		about:   "The configuration of one service in one environment. One profile a file; a field of another name is an error.",
		example: "apiVersion: sluice/v1\nkind: ConfigProfile\nname: payment-service.staging\nservice: payment-service\nenvironment: Staging\ndata:\n  timeout: 200ms",
	},
	"name": {
		about: "The profile's name, unique over all sources. Commands, statuses and pages use it.", limits: "letters, digits, '.', '_' and '-', the first a letter or digit, at most 253",
		example: "name: payment-service.production",
	},
	"service":     {about: "The service whose instances receive it.", limits: "as name", example: "service: payment-service"},
	"environment": {about: "Where those instances run. It decides the defaults of strategy and health, from the least careful to the most."},
	"serviceType": {about: "What kind of service it is; it informs people and filters, not the rollout."},
	"schema": {
		about: "The ID of the schema that data must satisfy: schemas/ID.yaml of the repository, or one registered by API. Production needs one; elsewhere its absence is a warning.", limits: "as name",
		example: "schema: payment-config.v1",
	},
	"version": {about: "The version that this data makes. Where it is not given it is derived: a key removed or a type changed raises MAJOR, a key added MINOR, a value changed PATCH; the first is 1.0.0.", limits: "MAJOR.MINOR.PATCH, higher than the last one", example: "version: 1.4.0"},
	"targets": {about: "Narrows the instances of service and environment that receive it.", example: "targets: {labels: {region: us-east-1}}"},
	"targets.labels": {
		holds: "object of text", about: "Labels that an instance must have, all of them, with exactly these values.", limits: "at most 32; letters, digits, '.', '_', '/' and '-'",
		example: "targets: {labels: {region: us-east-1}}",
	},

	"strategy":      {about: "How a version reaches its targets.", example: "strategy: {type: Canary, steps: [10, 50, 100], phaseInterval: 5m}"},
	"strategy.type": {about: "Canary updates a share, judges it, and goes on to the next; Rolling goes batch after batch; BlueGreen updates the idle group, then switches; Direct updates all at once."},
	"strategy.autoPromote": {
		about: "Whether a phase that passed enters the next by itself. With false each phase waits for sluice promote.", example: "strategy: {type: Canary, autoPromote: false}",
	},
	"strategy.progressDeadline": {about: "A deployment that made no progress for so long fails, and is rolled back.", unit: "duration", limits: durationLimits},
	"strategy.steps": {
		about: "The shares of targets, one phase each, rounded up, at least one instance. 100 is appended when it does not end there.", unit: "percent of targets", limits: "1 to 100, rising, at most 20",
		example: "strategy: {type: Canary, steps: [10, 30, 50, 100]}",
	},
	"strategy.phaseInterval":      {about: "How long each step is watched; the gate must pass all along.", unit: "duration", limits: durationLimits, example: "strategy: {type: Canary, phaseInterval: 10m}"},
	"strategy.batchSize":          {about: "How many instances are updated at once.", unit: "instances, or percent of targets", limits: "a count (3) or a share (25%)", example: "strategy: {type: Rolling, batchSize: 25%}"},
	"strategy.batchInterval":      {about: "How long each batch is watched.", unit: "duration", limits: durationLimits},
	"strategy.stopOnFailure":      {about: "Whether a failing batch rolls back what was done. With false it goes on, and tells at the end what failed."},
	"strategy.maxConcurrency":     {about: "How many instances are updated at a time; 0 is all.", unit: "instances", limits: "0 to 1000000"},
	"strategy.verificationPeriod": {about: "How long the idle group is watched before the switch.", unit: "duration", limits: durationLimits},
	"strategy.keepBlueDuration":   {about: "How long the old group stays on the old version after the switch, so that the way back is one switch.", unit: "duration", limits: "0 to 30 days"},
	"strategy.trafficHook":        {about: "The name of a hook in the server's settings, which is told which group requests go to.", limits: "as name", example: "strategy: {type: BlueGreen, trafficHook: edge}"},

	"health":                      {about: "What a deployment is judged by, all along it.", example: "health: {errorRateThreshold: 2.0, endpoint: /healthz}"},
	"health.enabled":              {about: "Whether deployments are judged at all."},
	"health.checkInterval":        {about: "How often they are judged.", unit: "duration", limits: "1s to 10m"},
	"health.errorRateThreshold":   {about: "How much higher the error rate of the updated instances may be than before and than on those without the change.", unit: "percentage points above the baseline", limits: "above 0, at most 100"},
	"health.latencyThreshold":     {about: "How much slower the updated instances may be, at the 99th percentile.", unit: "percent above the baseline", limits: "above 0, at most 10000"},
	"health.failedCheckThreshold": {about: "How many heartbeats may say that an instance is unhealthy, and how many probes of endpoint may fail.", unit: "percent", limits: "above 0, at most 100"},
	"health.endpoint":             {about: "A path that is probed on every updated instance. Never a URL: the daemon probes instances, nothing else.", limits: "a path, at most 512 characters", example: "health: {endpoint: /healthz}"},
	"health.autoRollback":         {about: "Whether a failing gate takes the version back by itself. With false it stops and waits for a person."},
	"health.metrics": {
		about: "More figures that must stay within bounds.", limits: "at most 20",
		example: "health:\n  metrics:\n    - {name: payment-success, query: 'avg(payment_success_percent{version=\"{{version}}\"})', min: 99}",
	},
	"health.metrics.name":     {about: "The metric's name, in verdicts and reports.", limits: "as name; each once"},
	"health.metrics.provider": {about: "Who is asked: prometheus evaluates query as PromQL; heartbeat takes the custom metric of that name from the heartbeats; webhook asks a gate of the server's settings."},
	"health.metrics.query":    {about: "PromQL that gives one number; the name of a custom metric (name when missing); or the name of a gate. PromQL may hold placeholders such as {{version}}, {{updated}}, {{control}} and {{interval}}.", limits: "at most 4096 characters"},
	"health.metrics.min":      {about: "The least that passes.", unit: "of the metric"},
	"health.metrics.max":      {about: "The most that passes.", unit: "of the metric"},
	"health.metrics.dryRun":   {about: "Judge it and show it, and let nothing follow from it. It needs no bounds."},

	"windows": {about: "When no new deployment starts.", example: "windows: {deny: [\"Fri 16:00-Mon 06:00 Europe/Berlin\"]}"},
	"windows.deny": {
		about: "Recurring spans of local time, weekly (DAY HH:MM-DAY HH:MM ZONE) or daily (HH:MM-HH:MM ZONE). The start is inside, the end is not. Neither holds up a rollback.", limits: "at most 20; the zone is an IANA name",
		example: "windows: {deny: [\"Fri 16:00-Mon 06:00 Europe/Berlin\", \"22:00-06:00 UTC\"]}",
	},
	"windows.overrun": {about: "What becomes of a deployment that began before a window opens: Finish lets it go on to its end, Hold keeps it in its phase while the window is open."},
	"settings": {
		holds: "object", about: "Anything for integrations. notify names targets of notifications, slackChannel the channel of a Slack one.", limits: "at most 100 keys and 16 KiB",
		example: "settings: {notify: [payments], slackChannel: \"#deployments\"}",
	},
})

func with(base, more map[string]text) map[string]text {
	all := make(map[string]text, len(base)+len(more))
	maps.Copy(all, base)
	maps.Copy(all, more)
	return all
}
