{{/*
A service with a store: its account, its name, and a StatefulSet with a volume.

It is given `root`, the chart's context; `name`; `port`; and `calls`, the variables that name the services below it.
*/}}
{{- define "treenail.store" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "treenail.labels" .root | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "treenail.labels" .root | nindent 4 }}
spec:
  # A gRPC client keeps one connection, which a virtual address would bind to one replica.
  clusterIP: None
  selector:
    {{- include "treenail.selector" .name | nindent 4 }}
  ports:
    - { name: grpc, port: {{ .port }}, targetPort: grpc }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "treenail.labels" .root | nindent 4 }}
spec:
  replicas: {{ .root.Values.stores.replicas }}
  serviceName: {{ .name }}
  selector:
    matchLabels:
      {{- include "treenail.selector" .name | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "treenail.podLabels" .name | nindent 8 }}
      {{- if .root.Values.metrics.enabled }}
      {{- include "treenail.scraped" . | nindent 6 }}
      {{- end }}
    spec:
      securityContext:
        {{- include "treenail.podSecurity" . | nindent 8 }}
      serviceAccountName: {{ .name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 45
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "treenail.image" (dict "image" .root.Values.image "chart" .root.Chart) }}
          args:
            - {{ .name }}
            - --listen
            - 0.0.0.0:{{ .port }}
            {{- range .root.Values.credentials.betweenServices }}
            - {{ . | quote }}
            {{- end }}
          env:
            {{- include "treenail.environment" .root | nindent 12 }}
            {{- range $name, $address := .calls }}
            - { name: {{ $name }}, value: {{ $address | quote }} }
            {{- end }}
          ports:
            - { name: grpc, containerPort: {{ .port }} }
            {{- if .root.Values.metrics.enabled }}
            - { name: metrics, containerPort: 4579 }
            {{- end }}
          securityContext:
            {{- include "treenail.containerSecurity" . | nindent 12 }}
          resources:
            {{- toYaml .root.Values.stores.resources | nindent 12 }}
          startupProbe:
            grpc: { port: {{ .port }} }
            periodSeconds: 2
            failureThreshold: 60
          readinessProbe:
            grpc: { port: {{ .port }} }
            periodSeconds: 5
          livenessProbe:
            grpc: { port: {{ .port }} }
            periodSeconds: 10
            failureThreshold: 6
          volumeMounts:
            - { name: data, mountPath: /data }
            - { name: tmp, mountPath: /tmp }
            - { name: tls, mountPath: /etc/treenail/tls, readOnly: true }
      volumes:
        - { name: tmp, emptyDir: { medium: Memory, sizeLimit: 64Mi } }
        - { name: tls, secret: { secretName: {{ .root.Values.credentials.tlsSecret }}, optional: true, defaultMode: 0440 } }
  volumeClaimTemplates:
    - metadata:
        name: data
        labels:
          app.kubernetes.io/name: treenail
          app.kubernetes.io/part-of: treenail
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .root.Values.stores.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests: { storage: {{ .root.Values.stores.storage.size }} }
{{- end }}
