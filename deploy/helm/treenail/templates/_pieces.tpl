{{/* What all objects are labelled with, besides their own part. */}}
{{- define "treenail.labels" -}}
app.kubernetes.io/name: treenail
app.kubernetes.io/part-of: treenail
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What pods of a part are labelled with. Nothing that changes with a release: selectors and claims cannot change. */}}
{{- define "treenail.podLabels" -}}
app.kubernetes.io/name: treenail
app.kubernetes.io/part-of: treenail
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* What selects the pods of a part. */}}
{{- define "treenail.selector" -}}
app.kubernetes.io/name: treenail
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* An image: repository and tag, from the place in the values, and the chart. */}}
{{- define "treenail.image" -}}
{{ .image.repository }}:{{ .image.tag | default .chart.AppVersion }}
{{- end }}

{{/* What a pod is allowed. */}}
{{- define "treenail.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
# Once is enough: it would widen the modes of every file at each start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* What a container is allowed. */}}
{{- define "treenail.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* What every service is told; it is given the chart's context. */}}
{{- define "treenail.environment" -}}
# A folder of its own, because the volume's belongs to root.
- { name: TREENAIL_DATA_DIR, value: /data/treenail }
- { name: TREENAIL_LOG_FORMAT, value: json }
{{- if .Values.metrics.enabled }}
# It asks for no credentials, which the binary wants to hear is meant. A gateway that is told so asks for keys all the same.
- { name: TREENAIL_ADMIN_LISTEN, value: "0.0.0.0:4579" }
- { name: TREENAIL_INSECURE, value: "true" }
{{- else }}
- { name: TREENAIL_ADMIN_LISTEN, value: "127.0.0.1:4579" }
{{- end }}
{{- if .Values.telemetry.enabled }}
- { name: TREENAIL_OTLP_ENDPOINT, value: {{ .Values.telemetry.endpoint | quote }} }
- { name: TREENAIL_TRACE_RATIO, value: {{ .Values.telemetry.traceRatio | quote }} }
{{- end }}
{{- end }}

{{/* What tells Prometheus of a pod. */}}
{{- define "treenail.scraped" -}}
annotations: { prometheus.io/scrape: "true", prometheus.io/port: "4579" }
{{- end }}

{{/* One pod of a part a node, where that can be had. */}}
{{- define "treenail.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "treenail.selector" . | nindent 6 }}
{{- end }}

{{/* Another service's address; it is given `address`, as it is without certificates, and `root`, the chart's context. */}}
{{- define "treenail.peer" -}}
{{- if .root.Values.credentials.betweenServices -}}
{{ .address | replace "http://" "https://" | quote }}
{{- else -}}
{{ .address | quote }}
{{- end -}}
{{- end }}

{{/* What who is called, and who calls, shows the others, and whom it believes; it is given the chart's context. */}}
{{- define "treenail.certificates" -}}
{{- if .Values.credentials.betweenServices }}
- { name: TREENAIL_PEER_CERT, value: /etc/treenail/trust/tls.crt }
- { name: TREENAIL_PEER_KEY, value: /etc/treenail/trust/tls.key }
- { name: TREENAIL_PEER_CA, value: /etc/treenail/trust/ca.crt }
{{- end }}
{{- end }}
