import { describe, expect, it } from 'vitest';
import { stageId } from '../../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import { testPipeline, testStage } from '../planning.test-support.js';
import { usualPaths } from './usual-paths.js';

const stage = (name: string) => testStage(name, [{ name: 'v', accuracy: 0.9, fixedMs: 1, perItemMs: 1 }]);
const edge = (from: string, to: string, probability?: number): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...(probability === undefined ? {} : { when: { condition: 'x', probability } }),
});
const shape = (spec: PipelineSpec): readonly string[] => usualPaths(spec).edges.map(({ from, to }) => `${from}${to}`);

describe('usual paths', () => {
  const stages = ['a', 'b', 'c', 'd'].map(stage);

  it('keeps everything without when', () => {
    expect(shape(testPipeline(stages))).toEqual(['ab', 'bc', 'cd']);
  });

  it('leaves out a branch that may always be late, and what only it leads to', () => {
    const edges = [edge('a', 'd'), edge('a', 'b', 0.01), edge('b', 'c'), edge('c', 'd')];
    expect(shape(testPipeline(stages, edges))).toEqual(['ad']);
    const likelier = [edge('a', 'd'), edge('a', 'b', 0.02), edge('b', 'c'), edge('c', 'd')];
    expect(shape(testPipeline(stages, likelier))).toEqual(['ad', 'ab', 'bc', 'cd']);
  });

  it('leaves out the stages of a source that is rarely there', () => {
    const spec = testPipeline(stages, [edge('a', 'c'), edge('b', 'c'), edge('c', 'd')]);
    const withShare = (share: number): PipelineSpec => {
      const right = { name: 'r', to: [stageId('b')], tensors: [], onMissing: 'partial' as const, share };
      return { ...spec, sources: [{ name: 'l', to: [stageId('a')], tensors: [] }, right] };
    };
    expect(shape(withShare(0.01))).toEqual(['ac', 'cd']);
    expect(shape(withShare(0.02))).toEqual(['ac', 'bc', 'cd']);
  });

  it('keeps only as many branches as are rarely taken together', () => {
    const edges = [edge('a', 'b', 0.1), edge('a', 'c'), edge('b', 'c'), edge('c', 'd', 0.05)];
    expect(shape(testPipeline(stages, edges))).toEqual(['ab', 'ac', 'bc']);
  });
});
