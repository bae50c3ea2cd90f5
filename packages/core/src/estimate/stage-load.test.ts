import { expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { modelStage, pipeline } from './pipeline.test-support.js';
import { stageLoads } from './stage-load.js';

const stages = (...names: string[]) => names.map(modelStage);

it('multiplies by fan-outs and divides them out again at the join', () => {
  const spec = pipeline(stages('d', 'c', 'n'), ['d->c*4', 'c->n!'], ['n']);
  const loads = stageLoads(spec, 10);
  expect(loads.get(stageId('c'))).toEqual({ arrivalRps: 40, visits: 4, groupSize: 4, joined: false });
  expect(loads.get(stageId('n'))).toEqual({ arrivalRps: 10, visits: 1, groupSize: 1, joined: true });
});

it('nests fan-outs and closes only the innermost', () => {
  const spec = pipeline(stages('a', 'b', 'c', 'd', 'e'), ['a->b*3', 'b->c*2', 'c->d!', 'd->e!'], ['e']);
  const visits = [...stageLoads(spec, 1).values()].map((load) => load.visits);
  expect(visits).toEqual([1, 3, 6, 3, 1]);
});

it('visits a stage behind a diamond once', () => {
  const spec = pipeline(stages('a', 'b', 'c', 'd'), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']);
  expect(stageLoads(spec, 7).get(stageId('d'))?.arrivalRps).toBe(7);
});
