import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding } from '../problem.js';

/** Warns of fan-outs with more expected items than a stage can queue: such requests fail. */
export function checkFanOutItems(spec: SpecDraft): Finding[] {
  const { admission = {}, edges } = spec;
  if (isMalformed(spec, 'admission') || isMalformed(admission, 'maxQueueLength')) return [];
  const most = admission.maxQueueLength ?? fieldDefaults.maxQueueLength;
  return [...wellFormedEntries(edges)].flatMap(([index, { fanOut }]): Finding[] => {
    const expected = fanOut?.expected;
    if (expected === undefined || expected <= most) return [];
    const message = `a fan-out of more items than may wait at a stage fails its request: expected at most ${most}, which is admission.maxQueueLength, found ${expected}; raise the bound`;
    return [{ path: ['spec', 'edges', index, 'fanOut', 'expected'], message, severity: 'warning' }];
  });
}
