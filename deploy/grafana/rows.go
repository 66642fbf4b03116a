package main

var yesNo = map[string]string{"0": "no", "1": "yes"}

// rows are the dashboard from top to bottom: first what goes out and how it
// goes, then what that rests on. Figures of the database are the same on each
// daemon, so the largest is shown; what each daemon counts itself is added up.
var rows = []row{
	{"Rollouts", []panel{
		{title: "Deployments", help: "That ended, in the time shown.", kind: number, unit: "none",
			queries: []query{{"sum(increase(sluice_deployments_total{$i}[$__range]))", ""}}},
		{title: "In progress", help: "Deployments that have not ended.", kind: number, unit: "none", queries: []query{{"max(sluice_deployments_in_progress{$i})", ""}}},
		{title: "Success rate", help: "Completed, of those that came to an end of their own.", kind: number, unit: "percentunit",
			queries: []query{{`sum(increase(sluice_deployments_total{$i, status="Completed"}[$__range])) / (sum(increase(sluice_deployments_total{$i, status=~"Completed|Failed|RolledBack"}[$__range])) > 0)`, ""}}},
		{title: "Rollbacks", help: "That began, in the time shown.", kind: number, unit: "none", amber: 1,
			queries: []query{{"sum(increase(sluice_rollbacks_total{$i}[$__range]))", ""}}},
		{title: "Active profiles", help: "Profiles that are not retired.", kind: number, unit: "none", queries: []query{{"max(sluice_configs{$i})", ""}}},
		{title: "On hold", help: "Profiles whose content of Git was refused by a rollback.", kind: number, unit: "none", amber: 1, queries: []query{{"max(sluice_holds{$i})", ""}}},
		{title: "Frozen", help: "A freeze keeps everything from starting or going further.", kind: number, unit: "none", amber: 1, words: yesNo, queries: []query{{"max(sluice_frozen{$i})", ""}}},
		{title: "Set aside", help: "Deployments whose steps could not be stored: they wait for a person.", kind: number, unit: "none", red: 1, queries: []query{{"max(sluice_deployments_set_aside{$i})", ""}}},

		{title: "Ended, by status", kind: lines, unit: "none", queries: []query{{"sum by (status) (increase(sluice_deployments_total{$i}[$__rate_interval]))", "{{status}}"}}},
		{title: "Ended, by strategy", kind: lines, unit: "none", queries: []query{{"sum by (strategy) (increase(sluice_deployments_total{$i}[$__rate_interval]))", "{{strategy}}"}}},
		{title: "Rollbacks, by trigger", help: "What asked for them: the gate, a deadline, or a person.", kind: lines, unit: "none",
			queries: []query{{"sum by (trigger) (increase(sluice_rollbacks_total{$i}[$__rate_interval]))", "{{trigger}}"}}},
		{title: "Gate checks", help: "Inconclusive and Error hold a deployment where it is.", kind: lines, unit: "cps",
			queries: []query{{"sum by (outcome) (rate(sluice_gate_checks_total{$i}[$__rate_interval]))", "{{outcome}}"}}},

		{title: "Duration of deployments", kind: lines, unit: "s", exemplars: true, queries: quantiles("sluice_deployment_duration_seconds_bucket{$i}")},
		{title: "Duration of rollbacks", help: "From the decision to the last acknowledgement.", kind: lines, unit: "s", exemplars: true, queries: quantiles("sluice_rollback_duration_seconds_bucket{$i}")},
		{title: "Under way, by state", kind: lines, unit: "none", queries: []query{{"max by (state) (sluice_deployments_active{$i})", "{{state}}"}}},
		{title: "Under way, by what they wait for", kind: lines, unit: "none", queries: []query{{"max by (awaiting) (sluice_deployments_awaiting{$i})", "{{awaiting}}"}}},

		{title: "Longest waits", help: "Without progress; due and not stepped; rolling back.", kind: lines, width: 12, unit: "s", queries: []query{
			{"max(sluice_deployment_idle_seconds{$i})", "no progress"}, {"max(sluice_deployment_overdue_seconds{$i})", "step overdue"},
			{"max(sluice_rollback_oldest_seconds{$i})", "rolling back"}}},
		{title: "Oldest hold", kind: lines, width: 12, unit: "s", queries: []query{{"max(sluice_hold_oldest_seconds{$i})", "oldest hold"}}},
	}},
	{"Configuration on its way", []panel{
		{title: "Reload", help: "How long instances took to apply a version.", kind: lines, width: 8, unit: "s", exemplars: true, queries: quantiles("sluice_config_reload_duration_seconds_bucket{$i}")},
		{title: "Propagation", help: "From the commit being seen until an instance applied it; the canary's waits are in it.", kind: lines, width: 8, unit: "s", exemplars: true,
			queries: quantiles("sluice_propagation_seconds_bucket{$i}")},
		{title: "Validation", help: "Of one profile.", kind: lines, width: 8, unit: "s", exemplars: true, queries: quantiles("sluice_validation_duration_seconds_bucket{$i}")},
		{title: "Versions made", kind: lines, width: 12, unit: "none", queries: []query{{"sum by (source) (increase(sluice_config_versions_total{$i}[$__rate_interval]))", "{{source}}"}}},
		{title: "Files refused", help: "That were merged and are no valid profiles.", kind: lines, width: 12, unit: "none",
			queries: []query{{"sum by (source) (increase(sluice_config_validation_failures_total{$i}[$__rate_interval]))", "{{source}}"}}},
	}},
	{"Instances", []panel{
		{title: "Health", help: "As instances report it.", kind: lines, unit: "none", queries: []query{{"max by (status) (sluice_instances{$i})", "{{status}}"}}},
		{title: "Silent", help: "Without a heartbeat for two minutes.", kind: lines, unit: "none", queries: []query{{"max(sluice_instances_silent{$i})", "silent"}}},
		{title: "Streams", help: "Of instances, and of people who follow a deployment.", kind: lines, unit: "none", queries: []query{
			{"sum(sluice_watch_streams{$i})", "instances"}, {"sum(sluice_event_streams{$i})", "followers"}}},
		{title: "Heartbeats", kind: lines, unit: "cps", queries: []query{{"sum(rate(sluice_heartbeat_batch_size_sum{$i}[$__rate_interval]))", "heartbeats"}}},
	}},
	{"Sources, webhooks and forges", []panel{
		{title: "Lag", help: "Age of the oldest commit that is not synced.", kind: lines, unit: "s", queries: []query{{"max by (source) (sluice_source_lag_seconds{$i})", "{{source}}"}}},
		{title: "Failing", help: "1 while the last sync failed.", kind: lines, unit: "none", queries: []query{{"max by (source) (sluice_source_error{$i})", "{{source}}"}}},
		{title: "Since the last success", kind: lines, unit: "s", queries: []query{{"time() - max by (source) (sluice_source_last_success_timestamp_seconds{$i})", "{{source}}"}}},
		{title: "Syncs", kind: lines, unit: "ops", queries: []query{{"sum by (source, outcome) (rate(sluice_source_sync_duration_seconds_count{$i}[$__rate_interval]))", "{{source}} {{outcome}}"}}},
		{title: "Sync duration", kind: lines, unit: "s", exemplars: true, queries: quantiles("sluice_source_sync_duration_seconds_bucket{$i}")},
		{title: "Fetch duration", kind: lines, unit: "s", exemplars: true, queries: quantiles("sluice_git_fetch_duration_seconds_bucket{$i}")},
		{title: "Webhooks", kind: lines, unit: "none", queries: []query{{"sum by (forge, outcome) (increase(sluice_webhook_deliveries_total{$i}[$__rate_interval]))", "{{forge}} {{outcome}}"}}},
		{title: "Requests to forges", kind: lines, unit: "reqps", queries: []query{{"sum by (host, outcome) (rate(sluice_forge_requests_total{$i}[$__rate_interval]))", "{{host}} {{outcome}}"}}},
		{title: "Quota left", help: "Of what a forge allows, for those that say so.", kind: lines, width: 12, unit: "percentunit",
			queries: []query{{"min by (host) (sluice_forge_quota_remaining{$i}) / max by (host) (sluice_forge_quota_limit{$i})", "{{host}}"}}},
		{title: "Pull requests checked", kind: lines, width: 12, unit: "none", queries: []query{{"sum by (source) (increase(sluice_pull_request_checks_total{$i}[$__rate_interval]))", "{{source}}"}}},
	}},
	{"Outbox and notifications", []panel{
		{title: "Waiting", kind: lines, unit: "none", queries: []query{{"max(sluice_outbox_pending{$i})", "statuses and comments"}, {"max(sluice_notifications_pending{$i})", "notifications"}}},
		{title: "Oldest, by kind", kind: lines, unit: "s", queries: []query{{"max by (kind) (sluice_outbox_oldest_seconds{$i})", "{{kind}}"}}},
		{title: "Attempts", kind: lines, unit: "ops", exemplars: true, queries: []query{{"sum by (kind, outcome) (rate(sluice_outbox_attempt_duration_seconds_count{$i}[$__rate_interval]))", "{{kind}} {{outcome}}"}}},
		{title: "Notifications", kind: lines, unit: "ops", queries: []query{{"sum by (type, outcome) (rate(sluice_notifications_total{$i}[$__rate_interval]))", "{{type}} {{outcome}}"}}},
	}},
	{"API", []panel{
		{title: "Requests", kind: lines, unit: "reqps", queries: []query{{"sum by (status) (rate(sluice_http_request_duration_seconds_count{$i}[$__rate_interval]))", "{{status}}"}}},
		{title: "Errors", help: "Requests that were answered with a server error.", kind: lines, unit: "percentunit",
			queries: []query{{`(sum(rate(sluice_http_request_duration_seconds_count{$i, status=~"5.."}[$__rate_interval])) or vector(0)) / sum(rate(sluice_http_request_duration_seconds_count{$i}[$__rate_interval]))`, "server errors"}}},
		{title: "Refused and failed, by route", kind: lines, unit: "reqps",
			queries: []query{{`sum by (method, route, status) (rate(sluice_http_request_duration_seconds_count{$i, status=~"[45].."}[$__rate_interval]))`, "{{status}} {{method}} {{route}}"}}},
		{title: "In flight", kind: lines, unit: "none", queries: []query{{"sum(sluice_http_requests_in_flight{$i})", "requests and streams"}}},
		{title: "Latency", help: "Without streams and long polls. The points lead to traces.", kind: lines, width: 12, unit: "s", exemplars: true,
			queries: quantiles(`sluice_http_request_duration_seconds_bucket{$i, route!~".*/(watch|events)|/api/v1/instances/:id/configs"}`)},
		{title: "Latency, by route", kind: lines, width: 12, unit: "s", exemplars: true, queries: []query{
			{`histogram_quantile(.99, sum by (le, method, route) (rate(sluice_http_request_duration_seconds_bucket{$i, route=~"/api/v1/(configs|deployments).*", route!~".*/events"}[$__rate_interval])))`, "{{method}} {{route}}"}}},
		{title: "Sign-ins", kind: lines, width: 12, unit: "none", queries: []query{{"sum by (outcome) (increase(sluice_sign_ins_total{$i}[$__rate_interval]))", "{{outcome}}"}}},
		{title: "Secrets opened", kind: lines, width: 12, unit: "none", queries: []query{{"sum by (keeper, outcome) (increase(sluice_secrets_opened_total{$i}[$__rate_interval]))", "{{keeper}} {{outcome}}"}}},
	}},
	{"Database and Redis", []panel{
		{title: "Database", help: "It answers.", kind: number, width: 4, unit: "none", words: yesNo, queries: []query{{"min(sluice_database_up{$i})", ""}}},
		{title: "Refused writes", help: "That met a full or read-only disk, in the time shown.", kind: number, width: 4, unit: "none", red: 1,
			queries: []query{{"sum(increase(sluice_database_refused_writes_total{$i}[$__range]))", ""}}},
		{title: "Redis", help: "It answers commands.", kind: number, width: 4, unit: "none", words: yesNo, queries: []query{{"min(sluice_redis_up{$i})", ""}}},
		{title: "Alone", help: "Daemons that go on without what replicas share.", kind: number, width: 4, unit: "none", amber: 1, queries: []query{{"sum(sluice_coordination_degraded{$i})", ""}}},
		{title: "Longest wait for a connection", help: "On average, now.", kind: number, width: 8, unit: "s",
			queries: []query{{"max(rate(go_sql_wait_duration_seconds_total{$i}[$__rate_interval]) / (rate(go_sql_wait_count_total{$i}[$__rate_interval]) > 0) or go_sql_in_use_connections{$i} * 0)", ""}}},
		{title: "Connections in use", help: "By pool: the reserved ones are for rollouts, those of orders for emergencies.", kind: lines, unit: "none", queries: []query{{"sum by (db_name) (go_sql_in_use_connections{$i})", "{{db_name}}"}}},
		{title: "Connections open", kind: lines, unit: "none", queries: []query{{"sum by (db_name) (go_sql_open_connections{$i})", "{{db_name}}"}}},
		{title: "Time waited for connections", kind: lines, unit: "s", queries: []query{{"sum by (db_name) (rate(go_sql_wait_duration_seconds_total{$i}[$__rate_interval]))", "{{db_name}}"}}},
		{title: "Engine", help: "99 of 100 steps and claims are quicker.", kind: lines, unit: "s", queries: []query{
			{"histogram_quantile(.99, sum by (le) (rate(sluice_engine_step_duration_seconds_bucket{$i}[$__rate_interval])))", "step"},
			{"histogram_quantile(.99, sum by (le) (rate(sluice_engine_claim_duration_seconds_bucket{$i}[$__rate_interval])))", "claim"}}},
		{title: "Redis commands", kind: lines, unit: "ops", queries: []query{{"sum by (command) (rate(sluice_redis_command_duration_seconds_count{$i}[$__rate_interval]))", "{{command}}"}}},
		{title: "Redis latency", kind: lines, unit: "s", queries: quantiles("sluice_redis_command_duration_seconds_bucket{$i}")},
		{title: "Redis errors", kind: lines, unit: "ops", queries: []query{{"sum by (command) (rate(sluice_redis_command_errors_total{$i}[$__rate_interval]))", "{{command}}"}}},
		{title: "Redis connections", kind: lines, unit: "none", queries: []query{{"sum by (state) (sluice_redis_pool_connections{$i})", "{{state}}"}}},
	}},
	{"Daemons", []panel{
		{title: "Ready", help: "Daemons that take requests.", kind: number, width: 4, unit: "none", queries: []query{{"sum(sluice_ready{$i})", ""}}},
		{title: "Panics", help: "That were contained, in the time shown.", kind: number, width: 4, unit: "none", amber: 1, queries: []query{
			{"sum(increase(sluice_engine_panics_total{$i}[$__range])) + sum(increase(sluice_http_panics_total{$i}[$__range])) + sum(increase(sluice_outbox_panics_total{$i}[$__range])) + (sum(increase(sluice_source_panics_total{$i}[$__range])) or vector(0))", ""}}},
		{title: "Up for", help: "The youngest daemon.", kind: number, width: 4, unit: "s", queries: []query{{"time() - max(process_start_time_seconds{$i} * on (instance) group_left () sluice_build_info{$i})", ""}}},
		{title: "Builds", kind: list, width: 12, unit: "none", queries: []query{{"sum by (instance, version, goversion) (sluice_build_info{$i})", ""}}},
		{title: "Processor", kind: lines, unit: "percentunit", queries: []query{{"sum by (instance) (rate(process_cpu_seconds_total{$i}[$__rate_interval]) * on (instance) group_left () sluice_build_info{$i})", "{{instance}}"}}},
		{title: "Memory", kind: lines, unit: "bytes", queries: []query{
			{"sum by (instance) (process_resident_memory_bytes{$i} * on (instance) group_left () sluice_build_info{$i})", "{{instance}} resident"},
			{"sum by (instance) (go_memstats_heap_inuse_bytes{$i} * on (instance) group_left () sluice_build_info{$i})", "{{instance}} heap"}}},
		{title: "Goroutines", kind: lines, unit: "none", queries: []query{{"sum by (instance) (go_goroutines{$i} * on (instance) group_left () sluice_build_info{$i})", "{{instance}}"}}},
		{title: "Open files", kind: lines, unit: "none", queries: []query{{"sum by (instance) (process_open_fds{$i} * on (instance) group_left () sluice_build_info{$i})", "{{instance}}"}}},
	}},
}
