/**
 * Answers to related questions. A violation is a plan of a harder question that is better than the answer to an easier
 * question. That plan must hold conclusively in a simulation of the easier question.
 */
import { SeededRng, showsSloMet } from '@equipoise/core/model';
import { askPlanner } from '../instances/ask-planner.js';
import { Draw } from '../instances/draw.js';
import { drawInstance, instanceSeed } from '../instances/draw-instance.js';
import { PlanJudge, type StagePlans, specOf, type Worth } from '../instances/plan-judge.js';
import { type Axis, axesOf, type Question } from './vary-question.js';

export interface Violation {
  readonly axis: Axis['name'];
  readonly easier: string;
  readonly harder: string;
  /** Undefined: no plan was found at the easier question. */
  readonly answer?: Worth;
  readonly answerKind: string;
  readonly better: Worth;
}

export interface MonotoneResult {
  readonly index: number;
  readonly name: string;
  readonly objective: string;
  readonly questions: number;
  readonly compared: number;
  readonly cpuS: number;
  readonly worstCpuS: number;
  readonly violations: readonly Violation[];
}

interface Answer {
  readonly judge: PlanJudge;
  readonly kind: string;
  readonly stages?: StagePlans;
  readonly worth?: Worth;
  readonly cpuS: number;
}

const SAME = 1e-9;
const SMALL_COST = 0.01;

/** `only`: axes to ask along; default all. */
export function measureMonotone(seedFrom: string, index: number, only?: readonly Axis['name'][]): MonotoneResult {
  const seed = `monotone ${seedFrom}`;
  const instance = drawInstance(seed, index);
  const spec = specOf(instance);
  const draw = new Draw(new SeededRng(instanceSeed(seed)).fork(`pins ${index}`));
  const answers = new Map<string, Answer>();
  const ask = (question: Question): Answer => {
    const { spec: asked, arrivalRps } = question;
    const key = JSON.stringify([arrivalRps, asked.slo, asked.budget, asked.stages.map(({ pins }) => pins)]);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = answerTo(question);
    answers.set(key, answer);
    return answer;
  };
  let compared = 0;
  const violations: Violation[] = [];
  const axes = axesOf(spec, instance.arrivalRps, draw).filter(({ name }) => only?.includes(name) ?? true);
  for (const axis of axes) {
    for (const [harder, question] of axis.questions.entries()) {
      const ofHarder = ask(question);
      for (const easier of axis.questions.slice(0, harder)) {
        const ofEasier = ask(easier);
        compared++;
        const better = betterAt(ofEasier, ofHarder);
        if (better === undefined) continue;
        violations.push({
          axis: axis.name,
          easier: easier.label,
          harder: question.label,
          answerKind: ofEasier.kind,
          ...(ofEasier.worth && { answer: ofEasier.worth }),
          better,
        });
      }
    }
  }
  const cpu = [...answers.values()].map(({ cpuS }) => cpuS);
  return {
    index,
    name: instance.name,
    objective: spec.objective.kind,
    questions: answers.size,
    compared,
    cpuS: cpu.reduce((sum, cpuS) => sum + cpuS, 0),
    worstCpuS: Math.max(...cpu),
    violations,
  };
}

function answerTo({ spec, arrivalRps }: Question): Answer {
  const judge = new PlanJudge(spec, arrivalRps);
  const { kind, plan, cpuS } = askPlanner(judge);
  return { judge, kind, cpuS, ...(plan && { stages: plan.stages, worth: judge.worth(plan.stages) }) };
}

/** Worth of the harder question's plan, if it is better at the easier question and holds there. */
function betterAt({ judge, worth }: Answer, { stages }: Answer): Worth | undefined {
  if (stages === undefined) return undefined;
  const candidate = judge.worth(stages);
  if (worth !== undefined && !isBetter(judge, worth, candidate)) return undefined;
  return judge.fits(stages) && showsSloMet(judge.verified(judge.planOf(stages))) ? candidate : undefined;
}

/** Any difference in accuracy counts; in cost and weighted values, a difference of at least 1 %. */
function isBetter(judge: PlanJudge, answer: Worth, candidate: Worth): boolean {
  const { accuracy, cost, tieCost } = judge.loss(answer, candidate);
  const small = judge.spec.objective.kind === 'weights' ? SMALL_COST : SAME;
  return accuracy > small || cost > SMALL_COST || tieCost > SMALL_COST;
}
