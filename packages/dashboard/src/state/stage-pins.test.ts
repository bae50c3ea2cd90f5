import { variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { pinsText, withChoice } from './stage-pins.js';

describe('the pins of a stage', () => {
  const pins = { variantId: variantId('small'), replicas: 2, cpuCores: 1, maxBatchSize: 4 };

  it('keep the fields that the page does not set', () => {
    expect(withChoice(pins, 'large', 3)).toEqual({ variantId: 'large', replicas: 3, cpuCores: 1, maxBatchSize: 4 });
    expect(withChoice(pins, '', undefined)).toEqual({ cpuCores: 1, maxBatchSize: 4 });
    expect(withChoice({}, undefined, 0)).toEqual({});
  });

  it('are named in words', () => {
    expect(pinsText(pins)).toBe('variant small, replicas 2, cores 1, batch size 4');
  });
});
