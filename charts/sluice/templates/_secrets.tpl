{{/* The entries of values.secrets by the setting that each of them is. */}}
{{- define "sluice.secretSettings" -}}
databaseUrl: database_url
redisUrl: redis_url
masterKey: master_key
sessionKeys: session_keys
registrationToken: registration_token
adminPassword: admin_password
{{- end -}}

{{/* Entries that are made up where neither a value nor a Secret is given. */}}
{{- define "sluice.isGenerated" -}}
{{- if has . (list "masterKey" "sessionKeys" "registrationToken" "adminPassword") }}yes{{ end -}}
{{- end -}}

{{/*
A made-up secret: long enough for what the daemon asks of it. What an earlier
release made up is kept, since a new master key could open nothing.
*/}}
{{- define "sluice.generated" -}}
{{- $found := dig "data" .key "" (lookup "v1" "Secret" .root.Release.Namespace (printf "%s-generated" (include "sluice.fullname" .root)) | default dict) -}}
{{- if $found -}}
{{- $found -}}
{{- else if eq .name "masterKey" -}}
{{- printf "k1:%s" (randBytes 32) | b64enc -}}
{{- else if eq .name "sessionKeys" -}}
{{- randBytes 48 | b64enc -}}
{{- else if eq .name "registrationToken" -}}
{{- randAlphaNum 48 | b64enc -}}
{{- else -}}
{{- randAlphaNum 24 | b64enc -}}
{{- end -}}
{{- end -}}

{{/* Whether an entry has a file: given, in a Secret, or made up. */}}
{{- define "sluice.hasSecret" -}}
{{- $entry := index .root.Values.secrets .name -}}
{{- if or $entry.value $entry.existingSecret (include "sluice.isGenerated" .name) }}yes{{ end -}}
{{- end -}}

{{/* The Secret that an entry is in: that of the user, that with the values given here, or that with what was made up. */}}
{{- define "sluice.secretName" -}}
{{- $entry := index .root.Values.secrets .name -}}
{{- $own := include "sluice.fullname" .root -}}
{{- if $entry.existingSecret -}}
{{- $entry.existingSecret -}}
{{- else -}}
{{- ternary $own (printf "%s-generated" $own) (ne $entry.value "") -}}
{{- end -}}
{{- end -}}

{{/* The sources of the volume at /run/secrets/sluice: one file a secret, named by its setting or by its own name. */}}
{{- define "sluice.secretSources" -}}
{{- $root := . -}}
{{- range $name, $setting := include "sluice.secretSettings" . | fromYaml -}}
{{- $entry := index $root.Values.secrets $name -}}
{{- if include "sluice.hasSecret" (dict "root" $root "name" $name) }}
- secret:
    name: {{ include "sluice.secretName" (dict "root" $root "name" $name) }}
    items: [{key: {{ $entry.key | quote }}, path: {{ $setting }}}]
{{- end -}}
{{- end -}}
{{- range .Values.secrets.files }}
- secret:
    name: {{ default (printf "%s-files" (include "sluice.fullname" $root)) .existingSecret }}
    items: [{key: {{ default .name .key | quote }}, path: {{ .name | quote }}}]
{{- end -}}
{{- end -}}
