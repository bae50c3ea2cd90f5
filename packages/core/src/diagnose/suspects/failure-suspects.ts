/** Batches that fail, and replicas that hang one after the other. */
import type { StageId } from '../../model/ids.js';
import { type CaseFile, meanIn } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { poissonTail } from '../statistics.js';
import { type Span, secondsOf, sumIn } from '../symptoms.js';

/** Failed items come in batches, so batches count. */
const ALPHA = 0.001;

export function failureSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { history, input } = file;
  const stageId = file.stageIds[stage];
  const found = file.harmSpans.map((span) => failuresIn(file, stage, span)).find(({ isPlain }) => isPlain);
  if (stageId === undefined) return [];
  if (found === undefined) return hangingSuspects(file, stage, stageId);
  const { span, fraction } = found;
  const index = Math.round(meanIn(span, (at) => history.stageFigure(at, stage, 'variant')));
  const blocks = file.replicaBlocks(span, stageId).filter(({ failedItems }) => failedItems > 0);
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

interface Failures {
  readonly span: Span;
  readonly fraction: number;
  /** True if they are too many for the SLO, and chance cannot explain them. */
  readonly isPlain: boolean;
}

function failuresIn({ history, allowedFraction, harmSpans }: CaseFile, stage: number, span: Span): Failures {
  const sum = (field: 'failedItems' | 'items' | 'batches') =>
    sumIn(span, (at) => history.stageFigure(at, stage, field));
  const [failed, items, batches] = [sum('failedItems'), sum('items'), sum('batches')];
  const perBatch = Math.max(1, items) / Math.max(1, batches);
  const allowed = allowedFraction * items;
  const chance = poissonTail(failed / perBatch, allowed / perBatch);
  return {
    span,
    fraction: failed / Math.max(1, items),
    isPlain: failed > allowed && chance <= ALPHA / harmSpans.length,
  };
}

/** Replicas hang before requests fail. */
const HANGS_BEFORE_S = 10;

/**
 * A batch that never ends is in no figure of a batch, but its requests fail. Replacements that hang, too, show that the
 * stage as a whole is to blame.
 */
function hangingSuspects(file: CaseFile, stage: number, stageId: StageId): readonly Suspect[] {
  const { history, extent, isHarmed } = file;
  const failed = sumIn(extent, (at) => history.figure(at, 'failed'));
  if (!isHarmed || failed < sumIn(extent, (at) => history.missed(at)) / 2) return [];
  const span = { from: Math.max(0, extent.from - HANGS_BEFORE_S), to: extent.to };
  const replaced = sumIn(span, (at) => history.stageFigure(at, stage, 'replacedSlow'));
  const most = Math.max(1, ...secondsOf(span).map((at) => history.stageFigure(at, stage, 'ready')));
  if (replaced <= most) return [];
  return [
    {
      cause: 'failing-variant',
      stageId,
      score: Math.max(Math.log(2), Math.log(replaced / most)),
      summary: `replicas of stage ${stageId} hang one after the other: ${replaced} were replaced`,
      evidence: [
        { text: `replicas of stage ${stageId} that hung and were replaced`, measured: replaced, expected: 0 },
        { text: `most ready replicas of stage ${stageId} at once`, measured: most },
      ],
    },
  ];
}
