/** The custom resource definition of `InferencePipeline`: the pipeline file as an object of a cluster, with a status. */
import { API_VERSION, PIPELINE_KIND, pipelineJsonSchema } from '@equipoise/pipeline-file';
import { defaults, listKeys, maxItems, maxLength } from './limits.js';
import { statusSchema } from './status-schema.js';
import { type Additions, type StructuralSchema, toStructural } from './structural-schema.js';
import { validationRules } from './validation-rules.js';

const [GROUP = '', VERSION = ''] = API_VERSION.split('/');
const PLURAL = 'inferencepipelines';

const additions: Additions = { maxItems, maxLength, listKeys, defaults, rules: validationRules };

/** Schema of the whole object. The API server checks `apiVersion`, `kind` and `metadata` by itself. */
export function pipelineSchema(): StructuralSchema {
  const { description, properties } = pipelineJsonSchema;
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

/** What `kubectl get` shows; `wide` columns only with `-o wide`. */
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

/** The definition as an object of `apiextensions.k8s.io/v1`. */
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
