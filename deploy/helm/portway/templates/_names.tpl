{{/* One installation serves a cluster, so names do not depend on that of the release. */}}
{{- define "portway.name" -}}portway-controller{{- end }}

{{- define "portway.selector" -}}
app.kubernetes.io/name: portway
app.kubernetes.io/component: controller
{{- end }}

{{- define "portway.labels" -}}
{{ include "portway.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "portway.agent.selector" -}}
app.kubernetes.io/name: portway
app.kubernetes.io/component: agent
{{- end }}

{{- define "portway.agent.labels" -}}
{{ include "portway.agent.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Whether controllers are in the network of their nodes: where agents enforce NetworkPolicies, no pod has a connection before they have been told of it. */}}
{{- define "portway.controller.onNodes" -}}
{{- if and .Values.agent.enabled .Values.agent.policy.enabled }}yes{{ end }}
{{- end }}

{{- define "portway.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
