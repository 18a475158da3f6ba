{{/* Names have at most 52 characters: the labels of a StatefulSet's pods append 11 to its name. */}}
{{- define "imagebuilder-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $fullname := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $fullname .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "imagebuilder-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end }}

{{- define "imagebuilder-exporter.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "imagebuilder-exporter.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end }}

{{- define "imagebuilder-exporter.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ . }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "imagebuilder-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object except pods, without those of the selector. */}}
{{- define "imagebuilder-exporter.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "imagebuilder-exporter.labels" -}}
{{ include "imagebuilder-exporter.selectorLabels" . }}
{{ include "imagebuilder-exporter.commonLabels" . }}
{{- end }}

{{/* Number of pods. */}}
{{- define "imagebuilder-exporter.pods" -}}
{{- max (int .Values.shards) (int .Values.replicaCount) -}}
{{- end }}

{{/* Scheme of the exporter's port. */}}
{{- define "imagebuilder-exporter.scheme" -}}
{{- default (empty .Values.web.configExistingSecretName | ternary "http" "https") .Values.web.scheme -}}
{{- end }}

{{/* A probe with the scheme of the exporter's port. Takes the root and the probe. */}}
{{- define "imagebuilder-exporter.probe" -}}
{{- $probe := index . 1 | deepCopy -}}
{{- if and $probe.httpGet (eq (include "imagebuilder-exporter.scheme" (index . 0)) "https") -}}
{{- $_ := set $probe "httpGet" (merge $probe.httpGet (dict "scheme" "HTTPS")) -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end }}

{{/* "true" if an object of the Prometheus Operator is created. Takes the root and the value `enabled`. */}}
{{- define "imagebuilder-exporter.monitored" -}}
{{- $root := index . 0 -}}
{{- $enabled := index . 1 -}}
{{- if or (eq (toString $enabled) "true") (and (eq (toString $enabled) "auto") ($root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
true
{{- end -}}
{{- end }}

{{/* Fields that the pods of the exporter and of its test have in common. */}}
{{- define "imagebuilder-exporter.pod" -}}
serviceAccountName: {{ include "imagebuilder-exporter.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountServiceAccountToken }}
# The variables of a Service named imagebuilder-exporter begin as those of the flags do.
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
volumes:
  - name: config
    {{- if .Values.configExistingSecretName }}
    secret:
      secretName: {{ .Values.configExistingSecretName }}
    {{- else }}
    configMap:
      name: {{ default (include "imagebuilder-exporter.fullname" .) .Values.configExistingConfigMapName }}
    {{- end }}
  {{- with .Values.web.configExistingSecretName }}
  - name: web
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- range $field := list "imagePullSecrets" "initContainers" "priorityClassName" "nodeSelector" "tolerations" "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- with index $.Values $field }}
{{ toYaml (dict $field .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Fields that the containers of the exporter and of its test have in common. */}}
{{- define "imagebuilder-exporter.container" -}}
image: {{ include "imagebuilder-exporter.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/imagebuilder_exporter
    readOnly: true
  {{- if .Values.web.configExistingSecretName }}
  - name: web
    mountPath: /etc/imagebuilder_exporter_web
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Environment of the exporter and of its test, without that of a shard. */}}
{{- define "imagebuilder-exporter.env" -}}
{{- if not .Values.useNodeRole -}}
- name: AWS_EC2_METADATA_DISABLED
  value: "true"
{{ end -}}
{{- with .Values.extraEnv -}}
{{ toYaml . }}
{{- end -}}
{{- end }}
