{{/* Reports all mistakes that the schema of the values cannot detect. */}}
{{- define "imagebuilder-exporter.validate" -}}
{{- $mistakes := list -}}
{{- $sources := list -}}
{{- range list "config" "configExistingConfigMapName" "configExistingSecretName" -}}
{{- if index $.Values . -}}{{- $sources = append $sources . -}}{{- end -}}
{{- end -}}
{{- if not $sources -}}
{{- $mistakes = append $mistakes "there is no configuration: set config.targets, configExistingConfigMapName or configExistingSecretName" -}}
{{- else if gt (len $sources) 1 -}}
{{- $mistakes = append $mistakes (printf "set only one of %s" (join " and " $sources)) -}}
{{- end -}}
{{- if gt (int .Values.shards) 1 -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- $mistakes = append $mistakes "set only one of shards and replicaCount above 1: a shard has one pod" -}}
{{- end -}}
{{- if ne .Values.service.clusterIP "None" -}}
{{- $mistakes = append $mistakes "shards require service.clusterIP None" -}}
{{- end -}}
{{- if semverCompare "<1.28-0" .Capabilities.KubeVersion.Version -}}
{{- $mistakes = append $mistakes (printf "shards require Kubernetes 1.28 or later, and this cluster has %s" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- $alerts := list -}}
{{- range (.Files.Get "files/rules.yaml" | fromYaml).groups -}}
{{- range .rules -}}{{- with .alert -}}{{- $alerts = append $alerts . -}}{{- end -}}{{- end -}}
{{- end -}}
{{- range .Values.prometheusRule.disabled -}}
{{- if not (has . $alerts) -}}
{{- $mistakes = append $mistakes (printf "prometheusRule.disabled has %q, but there is no such alert: %s" . ($alerts | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if $mistakes -}}
{{- fail (printf "\n- %s" (join "\n- " $mistakes)) -}}
{{- end -}}
{{- end }}
