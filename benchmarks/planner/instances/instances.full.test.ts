import { SeededRng } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { measureMonotone } from '../monotone/measure-monotone.js';
import { axesOf } from '../monotone/vary-question.js';
import { askPlanner } from './ask-planner.js';
import { Draw } from './draw.js';
import { drawGraph } from './draw-graph.js';
import { drawInstance } from './draw-instance.js';
import { measureInstance } from './measure-instance.js';
import { PlanJudge, specOf } from './plan-judge.js';
import { PlanSpace } from './plan-space.js';
import { ReferenceSearch } from './reference-search.js';

const SEEDS = 'full tier';

function smallInstances(count: number, seeds = SEEDS) {
  const found = [];
  for (let index = 0; found.length < count; index++) {
    const instance = drawInstance(seeds, index);
    if (instance.small && instance.family !== 'fan-join') found.push({ index, instance });
  }
  return found;
}

describe('planning instances', () => {
  it('are valid pipeline files of every family, equal for equal seeds', () => {
    const drawn = Array.from({ length: 10 }, (_, index) => drawInstance(SEEDS, index));
    for (const instance of drawn) expect(specOf(instance).stages.length).toBeGreaterThan(1);
    const draw = new Draw(new SeededRng(1));
    const graphs = Array.from({ length: 200 }, () => drawGraph(draw, false));
    expect(new Set(graphs.map(({ family }) => family)).size).toBe(6);
    expect(drawInstance(SEEDS, 7)).toEqual(drawn[7]);
    expect(drawInstance('other seeds', 7)).not.toEqual(drawn[7]);
  });

  it.each(smallInstances(4))('$instance.name: the plan holds with another seed', ({ index, instance }) => {
    const { planner, falseInfeasible } = measureInstance(index, instance, { simulations: 40 });
    expect(planner.breaksLimits).toBeUndefined();
    expect(planner.independent).not.toBe('fails');
    expect(falseInfeasible && planner.proven).toBe(false);
  });

  it.each(smallInstances(3))('$instance.name: the reference needs no hint to find as good a plan', ({ instance }) => {
    const judge = new PlanJudge(specOf(instance), instance.arrivalRps);
    const { plan } = askPlanner(judge);
    const { best } = new ReferenceSearch(new PlanSpace(judge, instance), 60).run([]);
    if (plan === undefined) return;
    const worth = best?.worth;
    expect(worth).toBeDefined();
    if (worth === undefined) return;
    const { accuracy, cost } = judge.loss(worth, judge.worth(plan.stages));
    expect(Math.max(accuracy, cost)).toBeLessThanOrEqual(0.01);
  });

  it('is asked along every axis', () => {
    const [{ index } = { index: 0 }] = smallInstances(1, `monotone ${SEEDS}`);
    const axes = axesOf(specOf(drawInstance(SEEDS, index)), 10, new Draw(new SeededRng(1)));
    expect(new Set(axes.map(({ name }) => name))).toEqual(new Set(['load', 'budget', 'slo', 'pins']));
    expect(measureMonotone(SEEDS, index, ['slo'])).toMatchObject({ questions: 4, compared: 6 });
  });
});
