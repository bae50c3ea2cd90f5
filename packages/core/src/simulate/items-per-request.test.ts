import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import type { EdgeSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { itemsPerRequest } from './items-per-request.js';

const chain = chainSpec({ a: [], b: [], c: [], d: [] });
const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});
const fanOut = (expected: number) => ({ fanOut: { expected } });

describe('itemsPerRequest', () => {
  it('counts a stage once, multiplies fan-outs, and takes them out again at joins', () => {
    expect(itemsPerRequest(chain)).toBe(4);
    const closed = [edge('a', 'b', fanOut(3)), edge('b', 'c', { join: 'all' }), edge('c', 'd')];
    expect(itemsPerRequest({ ...chain, edges: closed })).toBe(1 + 3 + 1 + 1);
    const nested = [edge('a', 'b', fanOut(3)), edge('b', 'c', fanOut(4)), edge('c', 'd', { join: 'all' })];
    expect(itemsPerRequest({ ...chain, edges: nested })).toBe(1 + 3 + 12 + 3);
  });
});
