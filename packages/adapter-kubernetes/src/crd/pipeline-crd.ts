import { API_VERSION, PIPELINE_KIND, pipelineJsonSchema } from '@equipoise/pipeline-file';
import { toYaml } from '../api/to-yaml.js';
import { statusSchema } from './status-schema.js';
import { type Additions, type StructuralSchema, toStructural } from './structural-schema.js';
import { validationRules } from './validation-rules.js';

/** Custom resource `InferencePipeline`: the pipeline file with a status. */

const [GROUP = '', VERSION = ''] = API_VERSION.split('/');
const PLURAL = 'inferencepipelines';

/** Bounds of lists, from which API servers estimate the cost of rules. */
const maxItems: Additions['maxItems'] = {
  'spec.sources': 1,
  'spec.sources[].tensors': 32,
  'spec.sources[].tensors[].shape': 16,
  'spec.sources[].tensors[].contentTypes': 16,
  'spec.sources[].shape': 16,
  'spec.sources[].contentTypes': 16,
  'spec.stages': 32,
  'spec.stages[].variants': 32,
  'spec.stages[].variants[].profile': 128,
  'spec.stages[].bounds.batchSizes': 32,
  'spec.stages[].bounds.cpuCores': 64,
  'spec.edges': 128,
  'spec.edges[].fanOut.distribution': 256,
  'spec.edges[].inputs': 32,
  'spec.edges[].inputs[].constant.shape': 16,
  'spec.outputs': 32,
  'spec.outputs[].tensors': 32,
  'spec.outputs[].types': 32,
  'spec.outputs[].types[].shape': 16,
};

const maxLength: Additions['maxLength'] = {
  'spec.sources[].name': 63,
  'spec.stages[].name': 63,
  'spec.stages[].pins.variant': 127,
  'spec.stages[].variants[].name': 127,
  'spec.stages[].variants[].artifactSha256': 64,
  'spec.edges[].from': 63,
  'spec.edges[].to': 63,
  'spec.edges[].when.condition': 4096,
  'spec.outputs[].from': 63,
  'spec.outputs[].unless': 63,
  'spec.stages[].variants[].server.environment{}': 4096,
};

/** Keys of lists: such lists have no duplicates, and several managers can own entries. */
const listKeys: Additions['listKeys'] = {
  'spec.sources': ['name'],
  'spec.sources[].tensors': ['name'],
  'spec.stages': ['name'],
  'spec.stages[].variants': ['name'],
  'spec.edges': ['from', 'to'],
  'spec.edges[].inputs': ['name'],
  'spec.outputs': ['from'],
  'spec.outputs[].types': ['name'],
};

/** Defaults on a cluster: mode `advise`; no `runTimeoutMs`, which some stages must not have. */
const defaults: Additions['defaults'] = {
  'spec.control.mode': 'advise',
  'spec.stages[].runTimeoutMs': undefined,
};

const additions: Additions = { maxItems, maxLength, listKeys, defaults, rules: validationRules };

/** The API server itself checks `apiVersion`, `kind` and `metadata`. */
export function pipelineSchema(): StructuralSchema {
  const { description, properties } = pipelineJsonSchema();
  const { spec = {} } = properties ?? {};
  const rules = validationRules[''];
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: toStructural(spec, 'spec', additions),
      status: statusSchema,
    },
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules }),
  };
}

const condition = (type: string) => `.status.conditions[?(@.type=="${type}")].status`;

/** Columns with a priority need `-o wide`. */
const columns = [
  { name: 'Mode', type: 'string', jsonPath: '.status.mode' },
  { name: 'Ready', type: 'string', jsonPath: condition('Ready') },
  { name: 'SLOMet', type: 'string', jsonPath: condition('SLOMet') },
  { name: 'SLO ms', type: 'number', jsonPath: '.spec.slo.latencyMs' },
  { name: 'Predicted ms', type: 'number', jsonPath: '.status.plan.predicted.latencyMs' },
  { name: 'Observed ms', type: 'number', jsonPath: '.status.observed.latencyMs' },
  { name: 'PAS', type: 'number', jsonPath: '.status.plan.predicted.pas' },
  { name: 'Cores', type: 'number', jsonPath: '.status.plan.predicted.cpuCores' },
  { name: 'Cost per hour', type: 'number', jsonPath: '.status.plan.predicted.costPerHour' },
  { name: 'Replicas', type: 'integer', jsonPath: '.status.replicas.ready', priority: 1 },
  { name: 'Degraded', type: 'string', jsonPath: condition('Degraded'), priority: 1 },
  { name: 'Planned', type: 'date', jsonPath: '.status.plannedAt', priority: 1 },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
] as const;

export function pipelineDefinition() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: PIPELINE_KIND,
        listKind: `${PIPELINE_KIND}List`,
        plural: PLURAL,
        singular: 'inferencepipeline',
        shortNames: ['infpipe', 'ipl'],
        categories: ['equipoise'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: pipelineSchema() },
        },
      ],
    },
  };
}

const HEAD = `# Generated by \`npm run generate\` from the definitions of the pipeline file (packages/pipeline-file) and what a cluster adds to them
# (packages/adapter-kubernetes/src/crd). Rules that need more than an API server has are the operator's: it tells them in the condition
# Accepted.
`;

export function renderPipelineCrd(): string {
  return `${HEAD}${toYaml([pipelineDefinition()])}`;
}
