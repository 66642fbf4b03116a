{{/* What cannot be right is refused here, with the value to change. */}}
{{- define "sluice.check" -}}
{{- $root := . -}}
{{- if and (eq .Values.mode "cluster") (not (include "sluice.hasSecret" (dict "root" . "name" "databaseUrl"))) -}}
{{- fail "secrets.databaseUrl: give value or existingSecret, a cluster needs PostgreSQL; or set mode to single for the embedded database" -}}
{{- end -}}
{{- if and (eq .Values.mode "single") (or .Values.secrets.databaseUrl.value .Values.secrets.databaseUrl.existingSecret) -}}
{{- fail "secrets.databaseUrl: single runs on the embedded database; set mode to cluster for PostgreSQL" -}}
{{- end -}}
{{- if and (eq .Values.mode "single") .Values.watch.enabled -}}
{{- fail "watch.enabled: single is one daemon on the embedded database, which serves instances itself; set mode to cluster" -}}
{{- end -}}
{{- range $name, $setting := include "sluice.secretSettings" . | fromYaml -}}
{{- $entry := index $root.Values.secrets $name -}}
{{- if and $entry.value $entry.existingSecret -}}
{{- fail (printf "secrets.%s: value and existingSecret are both given, give one" $name) -}}
{{- end -}}
{{- end -}}
{{- $names := include "sluice.secretSettings" . | fromYaml | values -}}
{{- range .Values.secrets.files -}}
{{- if has .name $names -}}
{{- fail (printf "secrets.files: %s is given twice, or is the file of a setting that has an entry of its own" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if and .value .existingSecret -}}
{{- fail (printf "secrets.files: %s has value and existingSecret, give one" .name) -}}
{{- end -}}
{{- if not (or .value .existingSecret) -}}
{{- fail (printf "secrets.files: %s has neither value nor existingSecret, give one" .name) -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey .Values.config "secrets") .Values.kubernetesSecrets.namespaces (dig "secrets" "kubernetes" "namespaces" "" .Values.config) -}}
{{- fail "config.secrets.kubernetes.namespaces: kubernetesSecrets.namespaces sets it, give one" -}}
{{- end -}}
{{- end -}}

{{/* sluice.yaml: what values.config says, and what only the chart can know. */}}
{{- define "sluice.config" -}}
{{- $own := dict
  "listen" ":5000"
  "data_dir" "/var/lib/sluice"
  "shutdown_delay" (printf "%ds" (int .Values.shutdown.delaySeconds))
  "shutdown_timeout" (printf "%ds" (int .Values.shutdown.timeoutSeconds)) -}}
{{- range $name, $setting := include "sluice.secretSettings" . | fromYaml -}}
{{- if include "sluice.hasSecret" (dict "root" $ "name" $name) -}}
{{- $_ := set $own (printf "%s_file" $setting) (printf "/run/secrets/sluice/%s" $setting) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kubernetesSecrets.namespaces -}}
{{- $_ := set $own "secrets" (dict "kubernetes" (dict "namespaces" .)) -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}

{{/* Variables of the standard of OpenTelemetry, and those that were given. */}}
{{- define "sluice.env" -}}
- name: SLUICE_CONFIG
  value: /etc/sluice/sluice.yaml
{{- with .Values.telemetry.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $.Values.telemetry.samplerRatio | quote }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
