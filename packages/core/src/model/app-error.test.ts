import { describe, expect, it } from 'vitest';
import { AppError, type ErrorCode } from './app-error.js';

const limit = (): unknown => (Error as { readonly stackTraceLimit?: unknown }).stackTraceLimit;
const frames = (code: ErrorCode): number => (new AppError(code, 'a problem').stack?.split('\n') ?? []).length - 1;

describe('the stack of an AppError', () => {
  it.each(['MALFORMED_REQUEST', 'DROPPED', 'DEADLINE_PASSED'] as const)('is not captured for %s', (code) => {
    const before = limit();
    expect(frames(code)).toBe(0);
    expect(limit()).toBe(before);
  });

  it.each(['STORE_FAILED', 'STAGE_FAILED', 'UNREACHABLE'] as const)('is captured for %s', (code) => {
    expect(frames(code)).toBeGreaterThan(0);
  });
});
