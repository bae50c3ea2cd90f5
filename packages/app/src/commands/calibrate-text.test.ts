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

function textOf(drops: { readonly saturation: number; readonly overload: number }, machine = atRest): string {
  const loadAt = (load: ComparedLoad['load'], droppedFraction: number): ComparedLoad => {
    const figures = { p50Ms: 10, p99Ms: 20, droppedFraction, completedRps: 100 };
    const estimated = { p50Ms: 10, p99Ms: 20, capacityRps: 100 };
    const fromProfile = { ...figures, p50Ms: 15 };
    return {
      ...{ load, arrivalRps: 100, requests: 1000, served: figures, halves: null },
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
  const [first] = textOf(overloaded, { cores: 4, otherCores: 1.5, isBusy: true }).split('\n');
  expect(first).toContain('Other programs used 1.5 of the 4 cores of this machine before the first load.');
  expect(textOf(overloaded)).not.toContain('Other programs used');
});

it('says how far to trust predictions, unless the machine was busy', () => {
  expect(textOf(overloaded)).toContain('allow 0 % for simulated latencies');
  expect(textOf(overloaded)).toContain('0 % for its throughput');
  expect(textOf({ saturation: 0.01, overload: 0 })).not.toContain('for its throughput');
  const text = textOf(overloaded, { cores: 4, otherCores: 1.5, isBusy: true });
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
