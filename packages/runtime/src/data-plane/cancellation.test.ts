import { describe, expect, it, vi } from 'vitest';
import { Cancellation } from './cancellation.js';

const once = { once: true } as const;

describe('a cancellation', () => {
  it('tells its listeners once, and says from then on that it was given', () => {
    const cancellation = new Cancellation();
    const listener = vi.fn();
    cancellation.addEventListener('abort', listener, once);
    expect(cancellation.aborted).toBe(false);
    cancellation.abort();
    cancellation.abort();
    expect(cancellation.aborted).toBe(true);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('does not tell a listener that was taken off', () => {
    const cancellation = new Cancellation();
    const [stays, leaves, unknown] = [vi.fn(), vi.fn(), vi.fn()];
    cancellation.addEventListener('abort', leaves, once);
    cancellation.addEventListener('abort', stays, once);
    cancellation.removeEventListener('abort', leaves);
    cancellation.removeEventListener('abort', unknown);
    cancellation.abort();
    expect(leaves).not.toHaveBeenCalled();
    expect(stays).toHaveBeenCalledTimes(1);
  });
});
