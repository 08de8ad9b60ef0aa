{{/* What the node manager's container is, whether it manages the node or releases it. */}}
{{- define "slice-operator.nodeContainer" -}}
image: {{ include "slice-operator.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  # Before what refers to it, and always there: an apply that adds it later puts it at the end.
  - { name: HOST_IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
  - { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
  - { name: NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
  - { name: LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
  # Prometheus comes to the node's address, and then so can others. Never a value in one release and a valueFrom in the
  # next: server-side apply leaves half of the one in the other.
  - { name: HEALTH_ADDRESS, value: {{ or .Values.podMonitor.enabled .Values.node.exposeMetrics | ternary "$(HOST_IP)" "127.0.0.1" }} }
  - { name: HEALTH_PORT, value: {{ .Values.node.healthPort | quote }} }
  - { name: AUDIT_PAGE, value: {{ .Values.node.auditPage | quote }} }
  - { name: SENSOR_PAGE, value: {{ .Values.node.sensorPage | quote }} }
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
  # Bidirectional, so that the programs pinned below it stay in the kernel when this container ends.
  - { name: run, mountPath: /run/slice-operator, mountPropagation: Bidirectional }
  - { name: policy, mountPath: /etc/slice-operator, readOnly: true }
  - { name: cgroups, mountPath: /sys/fs/cgroup }
  {{- if .Values.node.systemBus }}
  - { name: system-bus, mountPath: /run/dbus, readOnly: true }
  {{- end }}
{{- end -}}
