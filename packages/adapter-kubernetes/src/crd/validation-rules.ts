/**
 * Rules in CEL. Each repeats a rule of `semantic-checks` in pipeline-file; a test compares them. The operator checks
 * the rest.
 */
import type { ValidationRule } from './structural-schema.js';

const knownStage = (list: 'edges' | 'outputs', field: 'from' | 'to'): ValidationRule => ({
  rule: `!has(self.${list}) || self.${list}.all(each, self.stages.exists(stage, stage.name == each.${field}))`,
  // The message omits the found value, which would make the rule too costly.
  message: `unknown stage in "${field}" of ${list}, expected the name of a stage`,
  fieldPath: `.${list}`,
});

const multipleOfShare: ValidationRule = {
  rule: 'self * 20.0 - double(int(self * 20.0 + 0.5)) < 0.000001 && double(int(self * 20.0 + 0.5)) - self * 20.0 < 0.000001',
  message: 'expected a multiple of 0.05, the finest share of a core',
};

const risingPercentiles = (lower: string, higher: string): ValidationRule => ({
  rule: `!has(self.${lower}) || !has(self.${higher}) || self.${lower} <= self.${higher}`,
  message: `expected ${higher} of at least ${lower}`,
  fieldPath: `.${higher}`,
});

/** Rules by path; the root is the whole object. */
export const validationRules: Readonly<Record<string, readonly ValidationRule[]>> = {
  '': [
    {
      rule: 'size(self.metadata.name) <= 63',
      message: 'expected a name of at most 63 characters: it is also that of the model in the Open Inference Protocol',
    },
  ],
  spec: [knownStage('edges', 'from'), knownStage('edges', 'to'), knownStage('outputs', 'from')],
  'spec.slo': [
    {
      rule: 'self.percentile > 1.0',
      message: 'expected a percentile between 1 and 100; write the 99th percentile as 99',
      fieldPath: '.percentile',
    },
  ],
  'spec.sources[]': [
    {
      rule: '!has(self.tensors) || !(has(self.datatype) || has(self.shape) || has(self.contentTypes))',
      message: 'expected either tensors or datatype, shape and contentTypes, found both',
    },
    {
      rule: 'has(self.datatype) == has(self.shape) && (!has(self.contentTypes) || has(self.datatype))',
      message: 'missing field "datatype" or "shape", expected both of them beside each other and beside contentTypes',
    },
  ],
  'spec.stages[]': [
    {
      rule: '!has(self.shadow)',
      message: 'expected no shadow on a cluster, where answers are not compared',
      fieldPath: '.shadow',
    },
    {
      rule: 'has(self.variants) != has(self.combine)',
      message: 'expected either variants or combine',
    },
    {
      rule: '!has(self.combine) || !(has(self.module) || has(self.isolation) || has(self.python) || has(self.runTimeoutMs) || has(self.networkMs))',
      message: 'expected no code on a stage with combine, which has neither code nor replicas',
    },
    {
      rule: "self.kind != 'model' || !has(self.variants) || self.variants.all(variant, has(variant.accuracy))",
      message:
        'missing field "accuracy", expected {value, metric} on a variant of a model (plain code is kind: transform)',
      fieldPath: '.variants',
    },
    {
      rule: "self.kind != 'transform' || !has(self.variants) || self.variants.all(variant, !has(variant.accuracy))",
      message: 'expected no accuracy on a variant of a transform, which counts 1',
      fieldPath: '.variants',
    },
    {
      rule: 'has(self.module) || !has(self.variants) || self.variants.all(variant, has(variant.server) || has(variant.profile))',
      message: 'expected a module on the stage, or a server or a profile on the variant, found none of them',
    },
    {
      rule: '!has(self.module) || !has(self.variants) || self.variants.all(variant, !has(variant.server))',
      message: 'expected no server on a variant of a stage with a module: one of the two does the stage',
      fieldPath: '.variants',
    },
    {
      rule: '!has(self.isolation) || has(self.module)',
      message: 'expected no isolation on a stage without a module',
      fieldPath: '.isolation',
    },
    {
      rule: "!has(self.isolation) || self.isolation == 'process' || !has(self.module) || !self.module.endsWith('.py')",
      message: 'expected "process" or nothing: a module in Python runs in processes of its own, found "thread"',
      fieldPath: '.isolation',
    },
    {
      rule: "!has(self.python) || (has(self.module) && self.module.endsWith('.py'))",
      message: 'expected no python on a stage whose module is not in Python',
      fieldPath: '.python',
    },
    {
      rule: '!has(self.runTimeoutMs) || has(self.module) || !has(self.variants) || self.variants.exists(variant, has(variant.server))',
      message: 'expected no runTimeoutMs on a stage without a module, which is synthetic',
      fieldPath: '.runTimeoutMs',
    },
    {
      rule: '!has(self.pins) || !has(self.pins.variant) || !has(self.variants) || self.variants.exists(variant, variant.name == self.pins.variant)',
      message: 'unknown variant in pins, expected the name of a variant of this stage',
      messageExpression: `'unknown variant "' + self.pins.variant + '", expected the name of a variant of this stage'`,
      fieldPath: '.pins.variant',
    },
    {
      rule: '!has(self.pins) || !has(self.pins.replicas) || !has(self.bounds) || !has(self.bounds.replicas) || (self.pins.replicas >= self.bounds.replicas.min && self.pins.replicas <= self.bounds.replicas.max)',
      message: 'expected a number of replicas from min to max as in bounds',
      fieldPath: '.pins.replicas',
    },
    {
      rule: '!has(self.pins) || !has(self.pins.maxBatchSize) || !has(self.bounds) || !has(self.bounds.batchSizes) || self.pins.maxBatchSize in self.bounds.batchSizes',
      message: 'expected one of the batch sizes in bounds',
      fieldPath: '.pins.maxBatchSize',
    },
  ],
  'spec.stages[].bounds.replicas': [
    { rule: 'self.min <= self.max', message: 'expected max replicas of at least min', fieldPath: '.max' },
  ],
  'spec.stages[].bounds.cpuCores[]': [multipleOfShare],
  'spec.stages[].pins.cpuCores': [multipleOfShare],
  'spec.stages[].variants[].server': [
    {
      rule: '!has(self.environment) || has(self.command)',
      message: 'expected no environment without a command',
      fieldPath: '.environment',
    },
    {
      rule: '!has(self.replicas) || !has(self.command)',
      message: 'expected no replicas with a command: each replica starts a server of its own',
      fieldPath: '.replicas',
    },
  ],
  'spec.stages[].variants[].profile[]': [
    risingPercentiles('p50Ms', 'p95Ms'),
    risingPercentiles('p50Ms', 'p99Ms'),
    risingPercentiles('p95Ms', 'p99Ms'),
    {
      rule: 'has(self.meanMs) || has(self.throughputRps) || has(self.p50Ms) || has(self.p95Ms) || has(self.p99Ms)',
      message: 'give one of meanMs, throughputRps, p50Ms or p99Ms',
    },
  ],
  'spec.stages[].variants[].profile[].cpuCores': [multipleOfShare],
  'spec.edges[]': [
    { rule: 'self.from != self.to', message: 'expected edges without a cycle, found one from a stage to itself' },
  ],
  'spec.edges[].inputs[]': [
    { rule: '!(has(self.from) && has(self.constant))', message: 'expected either from or constant, found both' },
  ],
  'spec.admission.priorities': [
    {
      rule: 'self.default <= size(self.shares)',
      message: 'expected as many shares as the default priority, so that it has one',
      fieldPath: '.shares',
    },
    {
      rule: 'self.shares.sum() <= 1.000001',
      message: 'expected shares whose sum is at most 1',
      fieldPath: '.shares',
    },
  ],
};
