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
            {{- if not .root.Values.credentials.betweenServices }}
            # It trusts whoever reaches its port, which the network policies bound.
            - --insecure
            {{- end }}
          env:
            {{- include "treenail.environment" .root | nindent 12 }}
            {{- range $name, $address := .calls }}
            - { name: {{ $name }}, value: {{ include "treenail.peer" (dict "address" $address "root" $.root) }} }
            {{- end }}
            {{- include "treenail.certificates" .root | nindent 12 }}
            {{- if and .root.Values.credentials.betweenServices (eq .name "run-scheduler") }}
            - { name: TREENAIL_WORKER_TOKEN_FILE, value: /etc/treenail/trust/worker-token }
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
          {{- if .root.Values.credentials.betweenServices }}
          # The probes of a kubelet for gRPC speak no TLS, so the binary asks its own process.
          startupProbe:
            exec: { command: [treenail, healthcheck] }
            periodSeconds: 2
            timeoutSeconds: 6
            failureThreshold: 60
          readinessProbe:
            exec: { command: [treenail, healthcheck] }
            periodSeconds: 10
            timeoutSeconds: 6
          livenessProbe:
            exec: { command: [treenail, healthcheck] }
            periodSeconds: 10
            timeoutSeconds: 6
            failureThreshold: 6
          {{- else }}
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
          {{- end }}
          volumeMounts:
            - { name: data, mountPath: /data }
            - { name: tmp, mountPath: /tmp }
            {{- if .root.Values.credentials.betweenServices }}
            - { name: trust, mountPath: /etc/treenail/trust, readOnly: true }
            {{- end }}
      volumes:
        - { name: tmp, emptyDir: { medium: Memory, sizeLimit: 64Mi } }
        {{- if .root.Values.credentials.betweenServices }}
        - { name: trust, secret: { secretName: {{ .root.Values.credentials.trustSecrets }}-{{ .name }}, defaultMode: 0440 } }
        {{- end }}
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
