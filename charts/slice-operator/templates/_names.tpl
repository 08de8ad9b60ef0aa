{{/* What objects are called: the release's name, or what takes its place, at most 50 characters so that suffixes fit. */}}
{{- define "slice-operator.fullname" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if not (contains .Chart.Name $name) -}}
{{- $name = printf "%s-%s" $name .Chart.Name -}}
{{- end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "slice-operator.operator" -}}
{{ include "slice-operator.fullname" . }}
{{- end -}}

{{- define "slice-operator.node" -}}
{{ include "slice-operator.fullname" . }}-node
{{- end -}}

{{/* What never changes: Deployments and DaemonSets can't change their selectors. Takes {root, component}. */}}
{{- define "slice-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes {root, component}. */}}
{{- define "slice-operator.labels" -}}
{{ include "slice-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "slice-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" where a value of auto, true or false says so; auto: from a version of Kubernetes on. Takes {root, value, since}. */}}
{{- define "slice-operator.decide" -}}
{{- if eq (toString .value) "auto" -}}
{{ semverCompare (printf ">=%s-0" .since) .root.Capabilities.KubeVersion.Version }}
{{- else -}}
{{ .value }}
{{- end -}}
{{- end -}}

{{/* From 1.30 on a token says for which node it was made. */}}
{{- define "slice-operator.hasAdmissionPolicy" -}}
{{ include "slice-operator.decide" (dict "root" . "value" .Values.admissionPolicy "since" "1.30") }}
{{- end -}}

{{/* The rules use quantity(), which came with 1.29; a server refuses a CRD with rules that it does not understand. */}}
{{- define "slice-operator.hasValidationRules" -}}
{{ include "slice-operator.decide" (dict "root" . "value" .Values.crds.validationRules "since" "1.29") }}
{{- end -}}

{{/* Binds a role to the ServiceAccount of the same name. Takes {root, component, name, kind: Role or ClusterRole}. */}}
{{- define "slice-operator.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- if eq .kind "Role" }}
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "slice-operator.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
