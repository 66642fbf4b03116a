{{/*
A Deployment of daemons, from its spec on. Takes root, component, args, replicas (null leaves the number
to an autoscaler) and resources.
*/}}
{{- define "sluice.daemon" -}}
{{- $component := .component -}}
{{- $args := .args -}}
{{- $replicas := .replicas -}}
{{- $resources := .resources -}}
{{- with .root -}}
{{- $single := eq .Values.mode "single" -}}
{{- $root := . -}}
{{- $fullname := include "sluice.fullname" . -}}
spec:
  {{- if $single }}
  replicas: 1
  # The embedded database belongs to one daemon at a time.
  strategy: {type: Recreate}
  {{- else }}
  {{- /* With the autoscaler the number is its own: one here would be set again by each upgrade. */}}
  {{- if $replicas }}
  replicas: {{ $replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  {{- end }}
  selector:
    matchLabels: {{- include "sluice.podSelector" (dict "root" . "component" $component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "sluice.labels" . | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
      annotations:
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        # Settings and secrets are read at the start: another text starts other pods. What is made up never changes.
        checksum/config: {{ include "sluice.config" . | sha256sum }}
        checksum/secrets: {{ toYaml .Values.secrets | sha256sum }}
    spec:
      serviceAccountName: {{ include "sluice.serviceAccount" . }}
      automountServiceAccountToken: {{ or .Values.serviceAccount.automountToken (gt (len .Values.kubernetesSecrets.namespaces) 0) }}
      # Variables with the addresses of services would look like settings: SLUICE_PORT.
      enableServiceLinks: false
      {{- include "sluice.podSecurity" . | nindent 6 }}
      # A stop serves on, then waits for what is under way, then closes its connections.
      terminationGracePeriodSeconds: {{ add .Values.shutdown.delaySeconds .Values.shutdown.timeoutSeconds 15 }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      containers:
        - name: sluice
          {{- include "sluice.container" . | nindent 10 }}
          args: [{{ join ", " $args }}]
          env: {{- include "sluice.env" . | nindent 12 }}
          {{- with .Values.extraEnvFrom }}
          envFrom: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - {name: http, containerPort: 5000, protocol: TCP}
          # A first start may migrate the embedded database.
          startupProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 2
            timeoutSeconds: 5
            failureThreshold: 150
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 6
            failureThreshold: 2
          resources: {{- toYaml $resources | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/sluice, readOnly: true}
            - {name: secrets, mountPath: /run/secrets/sluice, readOnly: true}
            - {name: data, mountPath: /var/lib/sluice}
            {{- with .Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: config
          configMap: {name: {{ $fullname }}}
        - name: secrets
          projected:
            defaultMode: 0440
            sources: {{- include "sluice.secretSources" . | trim | nindent 14 }}
        - name: data
          {{- if $single }}
          persistentVolumeClaim: {claimName: {{ default $fullname .Values.persistence.existingClaim }}}
          {{- else }}
          emptyDir: {sizeLimit: {{ .Values.cacheSize }}}
          {{- end }}
        {{- with .Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if not $single }}
      topologySpreadConstraints:
        {{- range $key, $when := dict "topology.kubernetes.io/zone" .Values.topologySpread.zones "kubernetes.io/hostname" .Values.topologySpread.nodes }}
        - topologyKey: {{ $key }}
          maxSkew: 1
          whenUnsatisfiable: {{ $when }}
          labelSelector:
            matchLabels: {{- include "sluice.podSelector" (dict "root" $root "component" $component) | nindent 14 }}
          # Old and new pods of an upgrade are counted apart.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
{{- end -}}
