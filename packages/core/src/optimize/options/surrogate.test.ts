import { describe, expect, it } from 'vitest';
import { optionLatencyMs } from './surrogate.js';

describe('optionLatencyMs', () => {
  it('lies between mean and tail by θ, stretched by κ', () => {
    expect(optionLatencyMs({ meanMs: 10, tailMs: 30 }, { theta: 0.5, kappa: 1 })).toBe(20);
    expect(optionLatencyMs({ meanMs: 10, tailMs: 30 }, { theta: 1, kappa: 2 })).toBe(60);
  });

  it('is infinite for an unstable option, whatever the factors', () => {
    const unstable = { meanMs: Number.POSITIVE_INFINITY, tailMs: Number.POSITIVE_INFINITY };
    expect(optionLatencyMs(unstable, { theta: 0, kappa: 1 })).toBe(Number.POSITIVE_INFINITY);
    expect(optionLatencyMs(unstable, { theta: 0.5, kappa: 1 })).toBe(Number.POSITIVE_INFINITY);
  });
});
