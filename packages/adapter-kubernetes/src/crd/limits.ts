/**
 * Sizes that only a cluster bounds. An API server estimates what a rule costs by the largest object that the schema lets through and
 * refuses a definition whose rules could cost too much, so every list and text below a rule needs a bound. A pipeline file on a machine
 * knows none of these.
 */
import type { Additions } from './structural-schema.js';

export const maxItems: Additions['maxItems'] = {
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
  'spec.outputs': 32,
  'spec.outputs[].tensors': 32,
};

/** Lengths that the patterns of names already imply, where no pattern is, and of long texts. */
export const maxLength: Additions['maxLength'] = {
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

/** Entries are told apart by these, so that none can be given twice and several managers can each own entries of a list. */
export const listKeys: Additions['listKeys'] = {
  'spec.sources': ['name'],
  'spec.sources[].tensors': ['name'],
  'spec.stages': ['name'],
  'spec.stages[].variants': ['name'],
  'spec.edges': ['from', 'to'],
  'spec.outputs': ['from'],
};

/**
 * On a cluster a pipeline is only advised unless its owner says otherwise. `runTimeoutMs` has no default there: whether it is given
 * matters, for a stage without code must not have it.
 */
export const defaults: Additions['defaults'] = {
  'spec.control.mode': 'advise',
  'spec.stages[].runTimeoutMs': undefined,
};
