import { expect, it } from 'vitest';
import { networkTimesFrom } from './network-times.js';

const fresh = (value: number) => ({ kind: 'fresh', value, ageMs: 0, source: 'istio' }) as const;

it('takes the longest fresh time from the router to the variants of each stage', () => {
  const edges = [
    { from: 'shelf', to: 'detect', variant: 'small', networkMs: fresh(2) },
    { from: 'shelf', to: 'detect', variant: 'large', networkMs: fresh(3) },
    { from: 'shelf', to: 'classify', variant: 'only', networkMs: { kind: 'idle', ageMs: 0, source: 'istio' } as const },
    { from: 'shelf--next', to: 'detect', variant: 'large', networkMs: fresh(9) },
    { from: 'detect', to: 'classify', variant: 'only', networkMs: fresh(9) },
  ];
  expect(networkTimesFrom('shelf', edges)).toEqual(new Map([['detect', 3]]));
});
