{{/* What the node manager's container is, whether it manages the node or releases it. */}}
{{- define "slice-operator.nodeContainer" -}}
image: {{ include "slice-operator.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
  - { name: NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
  - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
  - { name: LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
  {{- if .Values.podMonitor.enabled }}
  # Prometheus comes to the node's address; so whoever reaches it can read the metrics.
  - { name: HEALTH_ADDRESS, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
  {{- else }}
  - { name: HEALTH_ADDRESS, value: 127.0.0.1 }
  {{- end }}
  - { name: HEALTH_PORT, value: {{ .Values.node.healthPort | quote }} }
  - { name: KUBELET_DIR, value: {{ .Values.node.kubeletDirectory | quote }} }
  - { name: STATE_DIR, value: /var/lib/slice-operator }
  - { name: RUN_DIR, value: /run/slice-operator }
  - { name: POLICY_FILE, value: /etc/slice-operator/policy.yaml }
  - { name: CGROUP_PREFIX, value: {{ .Values.node.cgroupPrefix | quote }} }
securityContext:
  privileged: true
  readOnlyRootFilesystem: true
  runAsUser: 0
  runAsGroup: 0
resources:
  {{- toYaml .Values.node.resources | nindent 2 }}
# Every path is the same inside as outside: the kubelet and the node manager speak of the same files.
volumeMounts:
  - name: pods
    mountPath: {{ .Values.node.kubeletDirectory }}/pods
    mountPropagation: Bidirectional
  - { name: plugin, mountPath: {{ .Values.node.kubeletDirectory }}/plugins/slice-operator.io }
  - { name: registration, mountPath: {{ .Values.node.kubeletDirectory }}/plugins_registry }
  - { name: state, mountPath: /var/lib/slice-operator }
  - { name: run, mountPath: /run/slice-operator }
  - { name: policy, mountPath: /etc/slice-operator, readOnly: true }
  - { name: cgroups, mountPath: /sys/fs/cgroup }
  {{- if .Values.node.systemBus }}
  - { name: system-bus, mountPath: /run/dbus, readOnly: true }
  {{- end }}
{{- end -}}
