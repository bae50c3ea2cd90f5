/** Batches that fail, and replicas that do not run. */
import { type CaseFile, meanIn } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { poissonTail } from '../statistics.js';
import { sumIn } from '../symptoms.js';

/** Failed items come in batches, so batches count. */
const ALPHA = 0.001;

export function failureSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { history, episode, input } = file;
  const stageId = file.stageIds[stage];
  if (stageId === undefined) return [];
  const sum = (field: 'failedItems' | 'items' | 'batches') =>
    sumIn(episode, (at) => history.stageFigure(at, stage, field));
  const [failed, items, batches] = [sum('failedItems'), sum('items'), sum('batches')];
  if (failed === 0) return [];
  const perBatch = items / Math.max(1, batches);
  const allowed = file.allowedFraction * items;
  const unlikely = poissonTail(failed / perBatch, allowed / perBatch);
  if (failed <= allowed || unlikely > ALPHA) return [];
  const fraction = failed / items;
  const index = Math.round(meanIn(episode, (at) => history.stageFigure(at, stage, 'variant')));
  const blocks = file.replicaBlocks(episode, stageId).filter(({ failedItems }) => failedItems > 0);
  const replicas = new Set(blocks.map(({ replicaId }) => replicaId)).size;
  const variants = [...new Set(blocks.map(({ variantId }) => variantId))];
  const name = variants.join(', ') || input.spec.stages[stage]?.variants[index]?.id || 'unknown';
  return [
    {
      cause: 'failing-variant',
      stageId,
      // A failed item is lost work: its stage has to do more for the same answers.
      score: Math.max(Math.log(2), -Math.log(Math.max(1e-3, 1 - fraction))),
      summary: `variant ${name} of stage ${stageId} fails ${(100 * fraction).toFixed(fraction < 0.1 ? 1 : 0)} % of its items`,
      evidence: [
        {
          text: `failed items of stage ${stageId} ÷ all its items, in ${replicas} replicas`,
          measured: fraction,
          expected: 0,
        },
      ],
    },
  ];
}
