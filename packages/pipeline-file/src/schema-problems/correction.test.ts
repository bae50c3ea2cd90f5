import { expect, test } from 'vitest';
import { type Loose, parseChanged, problemsOf } from '../pipeline.test-support.js';
import { numberInText } from './correction.js';
import { nearestSpelling } from './nearest-spelling.js';

test.each([
  ['500ms', 'latencyMs', 500],
  ['0.5s', 'latencyMs', 500],
  ['2 min', 'intervalMs', 120_000],
  ['8', 'cpuCores', 8],
  ['250m', 'cpuCores', 0.25],
  ['200Mi', 'memoryBytes', 209_715_200],
  ['1.5 GB', 'memoryBytes', 1_500_000_000],
  ['p99', 'percentile', 99],
  ['99%', 'percentile', 99],
  ['61%', 'accuracyFloor', 0.61],
  ['< 400 ms', 'latencyMs', 400],
  ['soon', 'latencyMs', undefined],
  ['5 parsecs', 'latencyMs', undefined],
  ['5ms', 'cpuCores', undefined],
  ['1.2.3', 'latencyMs', undefined],
])('"%s" in %s means %s', (text, field, number) => {
  expect(numberInText(text, field)).toBe(number);
});

const FIELDS = ['latencyMs', 'cpuCores', 'memoryBytes', 'batchSizes', 'replicas', 'to'];

test.each([
  ['latency', 'latencyMs'],
  ['latency_ms', 'latencyMs'],
  ['LatencyMS', 'latencyMs'],
  ['latnecyMs', 'latencyMs'],
  ['cores', 'cpuCores'],
  ['cpu', 'cpuCores'],
  ['minReplicas', 'replicas'],
  ['batchSize', 'batchSizes'],
  ['colour', undefined],
  ['', undefined],
  ['x', undefined],
  ['x'.repeat(200), undefined],
])('"%s" is probably %s', (word, field) => {
  expect(nearestSpelling(word, FIELDS)).toBe(field);
});

test.each<readonly [string, (spec: Loose) => void, string, string, string | undefined]>([
  [
    'text for a number',
    (spec) => (spec.slo.latencyMs = '500ms'),
    'spec.slo.latencyMs',
    'expected a number above 0, found the text "500ms" (write numbers without quotes and unit)',
    '500',
  ],
  [
    'a number for text',
    (spec) => (spec.stages[1].variants[0].version = 2),
    'spec.stages[1].variants[0].version',
    'expected text that is not empty, found 2 (quote text that looks like a number or a boolean)',
    '"2"',
  ],
  ['zero', (spec) => (spec.slo.latencyMs = 0), 'spec.slo.latencyMs', 'expected a number above 0, found 0', undefined],
  [
    'a negative number',
    (spec) => (spec.budget = { costPerHour: -1 }),
    'spec.budget.costPerHour',
    'expected a number above 0, found -1',
    undefined,
  ],
  [
    'a budget of 0',
    (spec) => (spec.budget = { cpuCores: 0 }),
    'spec.budget.cpuCores',
    'expected a number above 0, found 0',
    undefined,
  ],
  [
    'a broken batch size',
    (spec) => (spec.stages[0].bounds = { batchSizes: [1, 2.5] }),
    'spec.stages[0].bounds.batchSizes[1]',
    'expected a whole number of at least 1, found 2.5',
    undefined,
  ],
  [
    'a huge batch size',
    (spec) => (spec.stages[0].bounds = { batchSizes: [1e300] }),
    'spec.stages[0].bounds.batchSizes[0]',
    'expected a whole number of at least 1, found 1e+300',
    undefined,
  ],
  [
    'an odd core count',
    (spec) => (spec.stages[0].pins = { cpuCores: 0.33 }),
    'spec.stages[0].pins.cpuCores',
    'expected a multiple of 0.05, the finest share of a core, found 0.33',
    '0.35',
  ],
  [
    'a core count of 0',
    (spec) => (spec.stages[1].variants[0].resources = { cpuCores: 0 }),
    'spec.stages[1].variants[0].resources.cpuCores',
    'expected a number above 0 or a list of at least 1 entry, each a number above 0, found 0',
    undefined,
  ],
  [
    'an odd core count in a list',
    (spec) => (spec.stages[1].variants[0].resources = { cpuCores: [1, 0.07] }),
    'spec.stages[1].variants[0].resources.cpuCores[1]',
    'expected a multiple of 0.05, the finest share of a core, found 0.07',
    '0.05',
  ],
  [
    'a percent',
    (spec) => (spec.stages[1].variants[0].accuracy.value = 61),
    'spec.stages[1].variants[0].accuracy.value',
    'expected a number above 0 and at most 1, found 61 (fractions are 0…1)',
    '0.61',
  ],
  [
    'a misspelled word',
    (spec) => (spec.control = { mode: 'advice' }),
    'spec.control.mode',
    'expected one of auto, advise, off, found the text "advice"',
    'advise',
  ],
  [
    'a word in the wrong case',
    (spec) => (spec.sources[0].datatype = 'fp32'),
    'spec.sources[0].datatype',
    'expected one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, FP32, FP64, BYTES, found the text "fp32"',
    'FP32',
  ],
  [
    'a misspelled alternative',
    (spec) => (spec.objective = 'min-costs'),
    'spec.objective',
    'expected one of max-accuracy, min-cost or a mapping, found the text "min-costs"',
    'min-cost',
  ],
  [
    'a wrong value inside an alternative',
    (spec) => (spec.objective = { weights: { accuracy: 1, cost: 1, batch: 'x' } }),
    'spec.objective.weights.batch',
    'expected a number of at least 0, found the text "x"',
    undefined,
  ],
  [
    'an unknown field inside an alternative',
    (spec) => (spec.objective = { weight: {} }),
    'spec.objective.weight',
    'unknown field "weight", expected one of weights',
    'weights',
  ],
  [
    'a mapping for a list',
    (spec) => (spec.outputs = { from: 'count' }),
    'spec.outputs',
    'expected a list of at least 1 entry, found a mapping',
    undefined,
  ],
  [
    'an empty list',
    (spec) => (spec.outputs = []),
    'spec.outputs',
    'expected a list of at least 1 entry, found an empty list',
    undefined,
  ],
  ['nothing', (spec) => (spec.budget = null), 'spec.budget', 'expected a mapping, found nothing', undefined],
  [
    'a dimension of 0',
    (spec) => (spec.sources[0].shape = [0]),
    'spec.sources[0].shape[0]',
    'expected a size of at least 1, or -1 for any size, found 0',
    undefined,
  ],
  [
    'a file that is no table',
    (spec) => (spec.accuracyTable = 'accuracy.csv'),
    'spec.accuracyTable',
    'expected a path ending in .json, found the text "accuracy.csv"',
    undefined,
  ],
  [
    'half an interval',
    (spec) =>
      (spec.accuracyTable = { combinations: [{ variants: { detect: 'small' }, accuracy: 0.5, confidence95: [0.4] }] }),
    'spec.accuracyTable.combinations[0].confidence95',
    'expected a list of 2 entries, each a number from 0 to 1, found a list of 1',
    undefined,
  ],
])('%s is told with what was expected', (_what, change, path, message, suggestion) => {
  const [problem, ...others] = problemsOf(parseChanged(change));
  expect(others).toEqual([]);
  expect({ ...problem }).toMatchObject({ path, message });
  expect(problem?.suggestion).toBe(suggestion);
});
