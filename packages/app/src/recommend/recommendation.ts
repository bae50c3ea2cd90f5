/** Answers of `recommend` as a JSON document and as rows. */
import type { Certificate, PipelineSpec } from '@equipoise/core/model';
import type { Recommendation } from '@equipoise/core/plan';
import { type SloVerdict, sloVerdict } from '../cells/seed-figures.js';
import { choiceText } from '../terminal/plan-table.js';
import type { Answer } from './recommend-task.js';

type Found = Extract<Recommendation, { kind: 'found' }>;

export interface Question {
  readonly spec: PipelineSpec;
  /** Minimum accuracy of all plans; 0 for none. */
  readonly accuracyFloor: number;
  readonly arrivalRps?: number | undefined;
}

export function recommendationDocument(
  { spec, accuracyFloor, arrivalRps }: Question,
  answers: readonly Answer[],
): object {
  const { slo, budget, robustness, routers } = spec;
  return {
    kind: 'recommendation',
    question: {
      ...(arrivalRps !== undefined && { arrivalRps }),
      ...{ slo, budget, accuracyFloor, ...(robustness && { robustness }), ...(routers && { routers }) },
    },
    ...(answers[0]?.frontier && { frontier: answers[0].frontier }),
    answers: answers.map(({ recommended, at, figures }) => ({
      free: recommended.free,
      ...(at && { at }),
      ...(recommended.kind === 'found' ? foundDocument(recommended) : noneDocument(recommended)),
      ...(figures && { verdict: verdictOf({ recommended, figures }), figures }),
    })),
  };
}

function foundDocument({ kind, value, plan, problem, certificate }: Found) {
  const { arrivalRps, slo, spec } = problem;
  return {
    kind,
    value,
    arrivalRps,
    slo: slo ?? spec.slo,
    ...(spec.robustness && { robustness: spec.robustness }),
    ...(certificate && { certificate: proofOf(certificate) }),
    plan,
  };
}

/** Without the duration, so that the same question has the same answer. */
const proofOf = ({ elapsedMs: _, ...proof }: Certificate) => proof;

/** Tells a proof that there is no plan from a search that found none. */
function noneDocument({ kind, result }: Extract<Recommendation, { kind: 'none' }>) {
  const { bindingConstraint, fixes } = result;
  const proof = result.kind === 'infeasible' ? { proven: true } : { proven: false, tried: result.tried };
  return { kind, result: result.kind, ...proof, bindingConstraint, fixes };
}

/** Undefined without a plan or without a simulation. */
export function verdictOf({ recommended, figures }: Answer): SloVerdict | undefined {
  if (recommended.kind === 'none' || figures === undefined) return undefined;
  const { slo = recommended.problem.spec.slo } = recommended.problem;
  return sloVerdict(figures.sloAttainmentFraction, slo.percentile);
}

/** One row per answer, for CSV. */
export const answerRows = (answers: readonly Answer[]): readonly object[] =>
  answers.map((answer) => {
    const { recommended, at, figures } = answer;
    const named = { free: recommended.free, ...(at && { fixed: at.free, fixedValue: at.value }) };
    if (recommended.kind === 'none') {
      const { kind, bindingConstraint } = recommended.result;
      return { ...named, result: kind, bindingConstraint };
    }
    const { value, plan, problem } = recommended;
    const { pas, costPerHour, cpuCores } = plan.predicted;
    return {
      ...{ ...named, result: 'found', value, arrivalRps: problem.arrivalRps, variants: choiceText(plan) },
      ...{ sloMs: (problem.slo ?? problem.spec.slo).latencyMs, accuracy: pas, costPerHour, cpuCores },
      ...(figures && { verdict: verdictOf(answer), simulated: figures }),
    };
  });
