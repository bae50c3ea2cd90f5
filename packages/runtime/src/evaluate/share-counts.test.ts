import { type EdgeCount, type PipelineSpec, stageId, type VariantId } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { pipeline, stage, variant } from '../profiling/profile-pipeline.test-support.js';
import { ShareCounts } from './share-counts.js';

const [first, second] = [stageId('first'), stageId('second')];
const spec: PipelineSpec = pipeline([stage('first', [variant('v')]), stage('second', [variant('w')])], {
  edges: [{ from: first, to: second, when: { condition: 'x', probability: 0.5 } }],
});
const count = (taken: number): readonly EdgeCount[] => [{ offered: 4, taken, fanOuts: 0, items: 0 }];
const choice = (name: string) => ({ [first]: name as VariantId, [second]: 'w' as VariantId });

it('shares do not depend on quorums: each sample counts once for a variant', () => {
  const counts = new ShareCounts(spec);
  counts.add([choice('v with quorum 2'), choice('v with quorum 3')], [count(1), count(1)]);
  expect(counts.all()).toEqual([{ from: first, to: second, variant: 'v', outputs: 4, probability: 0.25 }]);
});
