/** The stage where requests wait, are dropped or fail. */
import { type CaseFile, meanIn } from './case-file.js';
import { type Span, sumIn } from './symptoms.js';

/**
 * Index of the stage with most drops. Without drops: of the stage whose wait and service per item grew most. Without
 * either: of the busiest stage relative to its profiled capacity.
 */
export function bottleneck(file: CaseFile): number {
  const { history, episode, before } = file;
  const stages = file.stageIds.map((_, stage) => stage);
  const dropped = stages.map((stage) => sumIn(episode, (at) => history.stageFigure(at, stage, 'dropped')));
  const lost = stages.map((stage) => dropped[stage] as number);
  const total = lost.reduce((sum, each) => sum + each, 0);
  const requests = sumIn(episode, (at) => history.ended(at));
  if (total > file.allowedFraction * requests) return largest(lost);
  const grown = stages.map(
    (stage) => timePerItem(file, stage, episode) - (before ? timePerItem(file, stage, before) : 0),
  );
  return Math.max(...grown) > 0 ? largest(grown) : largest(stages.map((stage) => useOf(file, stage, episode)));
}

/** Wait and service (ms) per item. */
function timePerItem({ history }: CaseFile, stage: number, span: Span): number {
  const sum = (field: 'waitMs' | 'items' | 'serviceMs' | 'batches') =>
    sumIn(span, (at) => history.stageFigure(at, stage, field));
  const [items, batches] = [sum('items'), sum('batches')];
  return items === 0 ? 0 : sum('waitMs') / items + sum('serviceMs') / Math.max(1, batches);
}

/** Arrived items ÷ profiled capacity. */
function useOf({ history }: CaseFile, stage: number, span: Span): number {
  const capacity = meanIn(span, (at) => history.stageFigure(at, stage, 'capacityRps'));
  const arrivals = meanIn(span, (at) => history.stageFigure(at, stage, 'arrived'));
  return capacity > 0 ? arrivals / capacity : arrivals > 0 ? Number.POSITIVE_INFINITY : 0;
}

const largest = (values: readonly number[]): number => values.indexOf(Math.max(...values));
