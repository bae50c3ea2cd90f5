import { fileURLToPath } from 'node:url';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { expect, it } from 'vitest';
import type { ComparedLoad } from '../calibrate/compared-loads.js';
import type { MachineUse } from '../calibrate/machine-use.js';
import { trustIn } from '../calibrate/trust.js';
import { calibrationText } from './calibrate-text.js';

const loaded = await loadPipelineFile(
  fileURLToPath(new URL('../../../../examples/policies/pipeline.yaml', import.meta.url)),
);
if (loaded.kind === 'invalid') throw new Error('the example is valid');
const { spec } = loaded;

const atRest: MachineUse = { cores: 4, otherCores: 0.1, isBusy: false };

interface Variation {
  readonly machine?: MachineUse;
  readonly arrivalRps?: number;
  readonly estimatedMs?: number | null;
}

function textOf(
  drops: { readonly saturation: number; readonly overload: number },
  { machine = atRest, arrivalRps = 100, estimatedMs = 10 }: Variation = {},
): string {
  const loadAt = (load: ComparedLoad['load'], droppedFraction: number): ComparedLoad => {
    const figures = { p50Ms: 10, p99Ms: 20, droppedFraction, completedRps: 100 };
    const estimated = { p50Ms: estimatedMs, p99Ms: estimatedMs && 2 * estimatedMs, capacityRps: 100 };
    const fromProfile = { ...figures, p50Ms: 15 };
    return {
      ...{ load, arrivalRps, requests: 1000, served: figures, halves: null },
      ...{ noise: { p50Fraction: 0, p99Fraction: 0 }, simulated: figures, simulatedFromProfile: fromProfile },
      ...{ estimated, estimatedFromProfile: estimated },
    };
  };
  const loads = [loadAt(0.5, 0), loadAt('saturation', drops.saturation), loadAt(1.1, drops.overload)];
  const plans = [{ stages: {}, saturationRps: 100, loads }];
  const document = { plans, corrections: [], trust: trustIn(loads), stored: false, machine };
  return calibrationText(document, { spec, file: 'pipeline.yaml', dryRun: true, measured: spec });
}

const overloaded = { saturation: 0.2, overload: 0.09 };

it('says first how busy the machine was', () => {
  const [first] = textOf(overloaded, { machine: { cores: 4, otherCores: 1.5, isBusy: true } }).split('\n');
  expect(first).toContain('Other programs used 1.5 of the 4 cores of this machine before the first load.');
  expect(textOf(overloaded)).not.toContain('Other programs used');
});

it('says how far to trust predictions, unless the machine was busy', () => {
  expect(textOf(overloaded)).toContain('allow 0 % for simulated latencies');
  expect(textOf(overloaded)).toContain('0 % for its throughput');
  expect(textOf({ saturation: 0.01, overload: 0 })).not.toContain('for its throughput');
  const text = textOf(overloaded, { machine: { cores: 4, otherCores: 1.5, isBusy: true } });
  expect(text).not.toContain('allow');
  expect(text).toContain('Calibrate again on a machine at rest.');
});

it('says of a load above saturation that it was no overload', () => {
  expect(textOf(overloaded)).not.toMatch(/not saturated|no overload|not known/);
  const text = textOf({ saturation: 0.01, overload: 0 });
  expect(text).toMatch(/100\.?0* rps, not saturated/);
  expect(text).toContain('0.0 % dropped, no overload');
  expect(text).toContain('throughput at saturation and drops are not known');
});

it('offers the limit of the search as a cause only if the loads came near it', () => {
  const notOverloaded = { saturation: 0.01, overload: 0 };
  expect(textOf(notOverloaded, { arrivalRps: 100.6 })).toContain('The highest rate was 100.6 rps. Probably other');
  expect(textOf(notOverloaded, { arrivalRps: 100.6 })).not.toContain('3000');
  expect(textOf(notOverloaded, { arrivalRps: 2900 })).toContain('completes more than 3000 rps');
});

it('says why a prediction has no error', () => {
  const text = textOf(overloaded, { estimatedMs: null });
  expect(text).toContain(
    'estimate with the correction: no latencies to compare, because it is overloaded at all loads',
  );
  expect(text).not.toContain('unknown');
});
