/** Values of the Helm chart: values.yaml, its schema and its table derive from this list. */
import { markdownTable } from '../markdown-table.js';

interface Schema {
  readonly type?: string | readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly [keyword: string]: unknown;
}

export interface ChartValue {
  /** Path in values.yaml, such as `image.tag`. */
  readonly path: string;
  readonly default: unknown;
  readonly meaning: string;
  readonly schema: Schema;
}

const bool: Schema = { type: 'boolean' };
const texts: Schema = { type: 'object', additionalProperties: { type: 'string' } };
/** The Deployment, the disruption budget and the network policies select the pods by these labels. */
const podLabels: Schema = { ...texts, propertyNames: { not: { pattern: '^app\\.kubernetes\\.io/(name|component)$' } } };
const list = (items: Schema): Schema => ({ type: 'array', items });
const free: Schema = { type: 'object' };
const name: Schema = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$' };

/** Defaults that the Kustomize folders state. */
export interface KustomizeDefaults {
  readonly name: string;
  readonly image: { readonly repository: string; readonly tag: string };
  readonly replicas: number;
  readonly resources: unknown;
}

export const chartValues = ({ name: own, image, replicas, resources }: KustomizeDefaults): readonly ChartValue[] => [
  {
    path: 'name',
    default: own,
    meaning: 'Name of all objects. Two releases on a cluster need two names, because the ClusterRole has it, too.',
    schema: name,
  },
  {
    path: 'definition.install',
    default: true,
    meaning: 'Installs and upgrades the custom resource. Only one release of a cluster may do so.',
    schema: bool,
  },
  {
    path: 'definition.keep',
    default: true,
    meaning: 'Keeps the custom resource, and so all pipelines, when the release is uninstalled.',
    schema: bool,
  },
  {
    path: 'allNamespaces',
    default: false,
    meaning: 'Manages the pipelines of all namespaces. Default: those of the namespace of the release.',
    schema: bool,
  },
  {
    path: 'watchNodes',
    default: false,
    meaning:
      'Names bad conditions of nodes that carry pods of a pipeline, in its status. Grants the right to list and watch nodes.',
    schema: bool,
  },
  {
    path: 'image.repository',
    default: image.repository,
    meaning: 'Image of the operator.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]*$' },
  },
  {
    path: 'image.tag',
    default: image.tag,
    meaning: 'Tag of the image.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' },
  },
  {
    path: 'image.digest',
    default: '',
    meaning: 'Digest of the image, such as `sha256:…`; replaces the tag.',
    schema: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  },
  {
    path: 'image.pullPolicy',
    default: 'IfNotPresent',
    meaning: 'When the image is pulled.',
    schema: { type: 'string', enum: ['IfNotPresent', 'Always', 'Never'] },
  },
  {
    path: 'imagePullSecrets',
    default: [],
    meaning: 'Secrets with the credentials of the registry of the operator’s image.',
    schema: list({ type: 'object', required: ['name'], properties: { name: { type: 'string' } } }),
  },
  {
    path: 'pipelines.image',
    default: '',
    meaning: 'Image of pipelines that name none. Default: `equipoise` with the tag of the version.',
    schema: { type: 'string' },
  },
  {
    path: 'replicas',
    default: replicas,
    meaning: 'Number of operators. Without shards, one of them acts.',
    schema: { type: 'integer', minimum: 1, maximum: 16 },
  },
  {
    path: 'shards',
    default: 1,
    meaning:
      'Shards of the pipelines, which the operators divide among themselves: 1, or at least as many as operators.',
    schema: { type: 'integer', minimum: 1, maximum: 16 },
  },
  {
    path: 'extraArgs',
    default: [],
    meaning: 'Further flags of `equipoise operator`.',
    schema: list({ type: 'string', pattern: '^--' }),
  },
  { path: 'resources', default: resources, meaning: 'Requests and limits of the operator.', schema: free },
  { path: 'nodeSelector', default: {}, meaning: 'Labels that the node of the operator must have.', schema: texts },
  { path: 'tolerations', default: [], meaning: 'Tolerated taints.', schema: list(free) },
  { path: 'affinity', default: {}, meaning: 'Affinity of the operator.', schema: free },
  { path: 'priorityClassName', default: '', meaning: 'Priority class of the operator.', schema: { type: 'string' } },
  { path: 'podLabels', default: {}, meaning: 'Additional labels of the pods.', schema: podLabels },
  { path: 'podAnnotations', default: {}, meaning: 'Additional annotations of the pods.', schema: texts },
  { path: 'networkPolicy.enabled', default: true, meaning: 'Restricts the connections of the operator.', schema: bool },
  {
    path: 'podDisruptionBudget.enabled',
    default: true,
    meaning: 'Lets evictions stop one operator at a time.',
    schema: bool,
  },
];

const closed = (properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  ...(required.length > 0 && { required }),
  properties,
});

/**
 * Names below a path that have to be there. The value `null` deletes a default, and a template takes a missing switch for
 * false, also that which keeps all pipelines.
 */
function neededNames(values: readonly ChartValue[], path = ''): readonly string[] {
  const inside = values.filter((value) => value.path.startsWith(path));
  const names = inside.flatMap((value) => {
    const [name = '', ...deeper] = value.path.slice(path.length).split('.');
    const { default: usual } = value;
    return deeper.length > 0 || (typeof usual !== 'object' && usual !== '') ? [name] : [];
  });
  return [...new Set(names)];
}

export function renderValuesSchema(values: readonly ChartValue[]): string {
  // Helm passes `global` to every chart.
  const properties: Record<string, Schema> = { global: free };
  for (const { path, meaning, schema } of values) {
    const [first = '', second] = path.split('.');
    const described = { ...schema, description: meaning };
    properties[first] =
      second === undefined
        ? described
        : closed({ ...properties[first]?.properties, [second]: described }, neededNames(values, `${first}.`));
  }
  const whole = closed(properties, neededNames(values));
  return JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...whole }, null, 2);
}

export function renderValues(values: readonly ChartValue[]): string {
  const lines = values.flatMap(({ path, default: value, meaning }, index) => {
    const [first = '', second] = path.split('.');
    const opens = second !== undefined && values[index - 1]?.path.split('.')[0] !== first;
    const indent = second === undefined ? '' : '  ';
    return [
      ...(opens ? [`${first}:`] : []),
      `${indent}# ${meaning}`,
      `${indent}${second ?? first}: ${JSON.stringify(value)}`,
    ];
  });
  return `# Generated by \`npm run generate\`. The same objects as those of the Kustomize folders, unless a value changes them.\n${lines.join('\n')}\n`;
}

export const renderValuesTable = (values: readonly ChartValue[]): string =>
  markdownTable(
    ['value', 'default', 'meaning'],
    values.map(({ path, default: value, meaning }) => [`\`${path}\``, `\`${JSON.stringify(value)}\``, meaning]),
  );
