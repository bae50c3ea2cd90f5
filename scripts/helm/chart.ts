/**
 * The Helm chart, rendered from the Kustomize folders, so that both install the same objects. Marks in the parsed
 * objects become template expressions after they are printed.
 */
import { readFileSync } from 'node:fs';
import { parseAllDocuments, stringify } from 'yaml';
import { chartValues, renderValues, renderValuesSchema, renderValuesTable } from './chart-values.js';

const CHART = 'deploy/helm/equipoise';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: object };
}

interface PodSpec {
  readonly containers: readonly {
    readonly image: string;
    readonly args: readonly string[];
    readonly resources: unknown;
  }[];
}

interface OperatorDeployment extends Manifest {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec };
  };
}

const read = (path: string): readonly Manifest[] =>
  parseAllDocuments(readFileSync(`deploy/${path}`, 'utf8'), { merge: false }).map((each) => each.toJS() as Manifest);

function sources() {
  const [deployment, ...others] = read('kubernetes/operator.yaml') as [OperatorDeployment, ...Manifest[]];
  const rights = read('kubernetes/rbac.yaml');
  const everywhere = read('kubernetes-all-namespaces/cluster-role-binding.yaml');
  const nodes = read('kubernetes-nodes/rbac.yaml');
  return { deployment, others, rights, everywhere, nodes };
}

function values() {
  const { deployment } = sources();
  const [container] = deployment.spec.template.spec.containers;
  if (container === undefined) throw new Error('deploy/kubernetes/operator.yaml: the operator has no container');
  const [repository = '', tag = ''] = container.image.split(':');
  const { replicas } = deployment.spec;
  return chartValues({
    name: deployment.metadata.name,
    image: { repository, tag },
    replicas,
    resources: container.resources,
  });
}

/** Expressions that replace marks in a line. */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  REPLICAS: '{{ .Values.replicas }}',
  IMAGE:
    '"{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag }}{{ end }}"',
  PULL_POLICY: '{{ .Values.image.pullPolicy }}',
  PLACE: '{{ if .Values.allNamespaces }}--all-namespaces{{ else }}--namespace={{ .Release.Namespace }}{{ end }}',
};

const mark = (name: string): string => `MARK_${name}_`;

/** Optional mappings of values: printed only if they are set. */
const optional = (value: string): Readonly<Record<string, string>> => ({ [`${mark('WITH')}${value}`]: '' });

/** The text of objects with template expressions. */
function template(objects: readonly unknown[]): string {
  const { name, namespace } = sources().deployment.metadata;
  const printed = objects
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
  return printed
    .split('\n')
    .map((line) => expressionsIn(line))
    .join('\n')
    .replaceAll(new RegExp(`(?<=^ *(?:- )?name: )${name}(?=$|-)`, 'gm'), '{{ .Values.name }}')
    .replaceAll(new RegExp(`(?<=^ *(?:- )?namespace: )${namespace}$`, 'gm'), '{{ .Release.Namespace }}')
    .replaceAll(`serviceAccountName: ${name}`, 'serviceAccountName: {{ .Values.name }}');
}

/** Lines that replace a line with the mark, without their indentation; `N` is the indentation of a nested block. */
const BLOCKS: Readonly<Record<string, readonly string[]>> = {
  MORE_LABELS: ['{{- with .Values.podLabels }}', '{{- toYaml . | nindent N }}', '{{- end }}'],
  MORE_ARGS: [
    '{{- if gt (int .Values.shards) 1 }}',
    '- --shards={{ .Values.shards }}',
    '- --no-admin-port',
    '{{- end }}',
    '{{- if .Values.watchNodes }}',
    '- --watch-nodes',
    '{{- end }}',
    '{{- with .Values.pipelines.image }}',
    '- {{ printf "--image=%s" . | quote }}',
    '{{- end }}',
    '{{- range .Values.extraArgs }}',
    '- {{ . | quote }}',
    '{{- end }}',
  ],
  PRIORITY: ['{{- with .Values.priorityClassName }}', 'priorityClassName: {{ . | quote }}', '{{- end }}'],
  RESOURCES: ['resources: {{- toYaml .Values.resources | nindent M }}'],
};

/** Fields of a pod with the name of the value that sets them. */
const OPTIONAL: Readonly<Record<string, string>> = { podAnnotations: 'annotations' };

function expressionsIn(line: string): string {
  const [, optionalValue] = /MARK_WITH_(\w+): ""/.exec(line) ?? [];
  const [, name = ''] = /MARK_([A-Z_]+)_/.exec(line) ?? [];
  const depth = line.length - line.trimStart().length;
  const block =
    optionalValue === undefined
      ? BLOCKS[name]
      : [
          `{{- with .Values.${optionalValue} }}`,
          `${OPTIONAL[optionalValue] ?? optionalValue}: {{- toYaml . | nindent M }}`,
          '{{- end }}',
        ];
  if (block === undefined) return line.replace(/MARK_([A-Z_]+)_/, () => EXPRESSIONS[name] ?? '');
  return block
    .map(
      (each) => ' '.repeat(depth) + each.replace(/nindent (N|M)/, (_, n) => `nindent ${n === 'N' ? depth : depth + 2}`),
    )
    .join('\n');
}

/** The Deployment with marks. */
function markedDeployment({ spec, ...rest }: OperatorDeployment): unknown {
  const { metadata, spec: pod } = spec.template;
  const [container] = pod.containers;
  if (container === undefined) throw new Error('the operator has no container');
  const args = container.args.map((arg) => (arg.startsWith('--namespace=') ? mark('PLACE') : arg));
  return {
    ...rest,
    spec: {
      ...spec,
      replicas: mark('REPLICAS'),
      template: {
        metadata: {
          ...optional('podAnnotations'),
          labels: { ...metadata.labels, [mark('MORE_LABELS')]: '' },
        },
        spec: {
          ...optional('imagePullSecrets'),
          ...optional('nodeSelector'),
          ...optional('tolerations'),
          ...optional('affinity'),
          [mark('PRIORITY')]: '',
          ...pod,
          containers: [
            {
              ...container,
              image: mark('IMAGE'),
              imagePullPolicy: mark('PULL_POLICY'),
              args: [...args, mark('MORE_ARGS')],
              resources: mark('RESOURCES'),
            },
          ],
        },
      },
    },
  };
}

const when = (condition: string, text: string): string => `{{- if ${condition} }}\n${text.trimEnd()}\n{{- end }}\n`;

/** Values that omit an object. */
const SWITCHES: Readonly<Record<string, string>> = {
  PodDisruptionBudget: '.Values.podDisruptionBudget.enabled',
  NetworkPolicy: '.Values.networkPolicy.enabled',
};

/** A schema cannot compare two values. */
const FEW_SHARDS = `{{- if and (gt (int .Values.shards) 1) (lt (int .Values.shards) (int .Values.replicas)) }}
{{- fail (printf "shards: expected at least %d, one for each of the replicas, found %d. Set fewer replicas or more shards." (int .Values.replicas) (int .Values.shards)) }}
{{- end }}
`;

function operatorTemplate(): string {
  const { deployment, others } = sources();
  const rest = others.map((object) => {
    const condition = SWITCHES[object.kind];
    if (condition === undefined) throw new Error(`deploy/kubernetes/operator.yaml: no value omits a ${object.kind}`);
    return when(condition, `---\n${template([object])}`);
  });
  return [FEW_SHARDS, template([markedDeployment(deployment)]), ...rest].join('');
}

function rightsTemplate(): string {
  const { rights, everywhere, nodes } = sources();
  const ofAllNamespaces = when('.Values.allNamespaces', `---\n${template(everywhere)}`);
  const ofNodes = when('.Values.watchNodes', `---\n${template(nodes)}`);
  return `${template(rights)}${ofAllNamespaces}${ofNodes}`;
}

/** Helm upgrades templates, but never `crds/`. */
function definitionTemplate(): string {
  const text = readFileSync('deploy/kubernetes-definition/crd.yaml', 'utf8').replace(/^(#.*\n)+/, '');
  if (text.includes('{{'))
    throw new Error('deploy/kubernetes-definition/crd.yaml: expected no {{, which Helm would replace');
  const kept = text.replace(
    /^metadata:\n/m,
    'metadata:\n  {{- if .Values.definition.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n',
  );
  return when('.Values.definition.install', kept);
}

const chartFile = (): string => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
  return stringify({
    apiVersion: 'v2',
    name: 'equipoise',
    description: 'The operator of Equipoise: plans, serves and re-plans inference pipelines.',
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.30.0-0',
  });
};

const NOTES = `The operator manages the pipelines of {{ if .Values.allNamespaces }}all namespaces{{ else }}the namespace {{ .Release.Namespace }}{{ end }}.

  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ .Values.name }}
  kubectl get inferencepipelines --all-namespaces
{{- if and .Values.definition.install .Values.definition.keep }}

If you uninstall this release, the custom resource and all pipelines stay. To delete them:

  kubectl delete customresourcedefinition inferencepipelines.equipoise.dev
{{- end }}
`;

const GENERATED = '{{- /* Generated by `npm run generate` from the Kustomize folders. */ -}}\n';

/** Files of the chart, by path. */
export const CHART_FILES: readonly { readonly path: string; readonly render: () => string }[] = [
  { path: `${CHART}/Chart.yaml`, render: () => chartFile() },
  { path: `${CHART}/values.yaml`, render: () => renderValues(values()) },
  { path: `${CHART}/values.schema.json`, render: () => renderValuesSchema(values()) },
  { path: `${CHART}/templates/definition.yaml`, render: () => `${GENERATED}${definitionTemplate()}` },
  { path: `${CHART}/templates/rights.yaml`, render: () => `${GENERATED}${rightsTemplate()}` },
  { path: `${CHART}/templates/operator.yaml`, render: () => `${GENERATED}${operatorTemplate()}` },
  { path: `${CHART}/templates/NOTES.txt`, render: () => NOTES },
];

export const renderChartValues = (): string => renderValuesTable(values());
