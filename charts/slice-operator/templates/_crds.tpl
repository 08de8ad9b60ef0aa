{{/* Takes the CEL rules out of a schema, in place. Writes nothing. */}}
{{- define "slice-operator.dropValidationRules" -}}
{{- if kindIs "map" . -}}
{{- $_ := unset . "x-kubernetes-validations" -}}
{{- range $value := . -}}
{{- include "slice-operator.dropValidationRules" $value -}}
{{- end -}}
{{- else if kindIs "slice" . -}}
{{- range $value := . -}}
{{- include "slice-operator.dropValidationRules" $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
