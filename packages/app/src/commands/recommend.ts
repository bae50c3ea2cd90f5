/** `equipoise recommend`: the best value of one or two free quantities, while all other conditions are fixed. */
import { AppError, bindingText, type PipelineSpec, type Plan } from '@equipoise/core/model';
import {
  type FreeQuantity,
  frontier,
  type PlanningProblem,
  type PlanningQuestion,
  type Recommendation,
  recommend as recommendation,
} from '@equipoise/core/plan';
import pc from 'picocolors';
import { plannedHostCores, verifierFor } from '../compose/plan-verification.js';
import { simulatedRun } from '../compose/simulated-run.js';
import { outputFile } from '../report/output-file.js';
import { type Estimate, estimateText, type SeedFigures, seedFigures, sloVerdict } from '../sweep/sweep-figures.js';
import { PlanProgress } from '../terminal/plan-progress.js';
import { choiceText, coresText, msText, rateText } from '../terminal/plan-table.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';
import { planQuestion } from './plan-question.js';

export interface RecommendOptions {
  readonly arrivalRps?: number;
  readonly free?: readonly FreeQuantity[];
  readonly accuracyFloor?: number;
  readonly sloMs?: number;
  readonly budgetCores?: number;
  readonly serviceFactor?: number;
  readonly profileScale?: number;
  readonly verify: boolean;
  readonly out?: string;
}

/** A quantity with its unit in texts. */
const quantities: Readonly<Record<FreeQuantity, { readonly title: string; text(value: number): string }>> = {
  cost: { title: 'cheapest', text: (value) => `${value.toFixed(2)} per hour` },
  accuracy: { title: 'most accurate', text: (value) => `accuracy ${value.toFixed(3)}` },
  load: { title: 'highest load', text: (value) => `${rateText(value)} rps` },
  slo: { title: 'shortest SLO', text: msText },
  robustness: { title: 'most robust', text: (value) => `service times × ${value.toFixed(2)}` },
};

const ALL = Object.keys(quantities) as readonly FreeQuantity[];

type Found = Extract<Recommendation, { kind: 'found' }>;

/** Answer with what a simulation of its plan adds. */
interface Answer {
  readonly recommended: Recommendation;
  /** Fixed value of the first of two free quantities. */
  readonly at?: { readonly free: FreeQuantity; readonly value: number };
  readonly figures?: SeedFigures;
}

/** Exits with 1 if no question has a plan. */
export async function recommend(file: string, options: RecommendOptions): Promise<CommandResult> {
  checkFlags(options);
  const out = options.out === undefined ? undefined : await outputFile(options.out);
  const question = await questionOf(file, options);
  const { spec } = question.problem;
  const progress = new PlanProgress(`planning ${spec.name}`);
  try {
    const answers = answersTo(question, options, (text) => progress.say(`planning ${spec.name}, ${text}`));
    const json = documentOf(question, answers, options);
    await out?.write(json);
    const isNo = answers.every(({ recommended }) => recommended.kind === 'none');
    return { json, text: recommendText(question, answers, options), answerIsNo: isNo };
  } finally {
    await progress.stop();
  }
}

function checkFlags({ free = [], arrivalRps }: RecommendOptions): void {
  const wrong = (message: string) => new AppError('WRONG_USAGE', message);
  if (free.length > 2) throw wrong(`--free: expected one or two of ${ALL.join(', ')}, found ${free.length}.`);
  if (new Set(free).size < free.length) throw wrong('--free: expected two different quantities.');
  if (arrivalRps === undefined && (free.length !== 1 || free[0] !== 'load'))
    throw wrong('Name the load: --arrival-rps N. Only --free load does without.');
}

async function questionOf(file: string, options: RecommendOptions): Promise<PlanningQuestion> {
  const { verify, arrivalRps = 1, accuracyFloor, sloMs, budgetCores, serviceFactor, profileScale } = options;
  const { problem } = await planQuestion(file, {
    ...{ arrivalRps, policy: 'equipoise', estimator: 'distribution', verify },
    ...(accuracyFloor !== undefined && { accuracyFloor }),
    ...(sloMs !== undefined && { sloMs }),
    ...(budgetCores !== undefined && { budgetCores }),
    ...(serviceFactor !== undefined && { serviceFactor }),
    ...(profileScale !== undefined && { profileScale }),
  });
  const { objective } = problem.spec;
  return {
    problem,
    accuracyFloor: objective.kind === 'min-cost' ? objective.accuracyFloor : 0,
    verifierOf: verify ? verifierOf : undefined,
  };
}

const verifierOf = ({ spec, profiles, arrivalRps }: PlanningProblem) =>
  verifierFor(spec, profiles, { arrivalRps, hostCores: plannedHostCores(spec) });

function answersTo(
  question: PlanningQuestion,
  { free = ALL, verify }: RecommendOptions,
  say: (text: string) => void,
): readonly Answer[] {
  const [first, second] = free;
  const isPair = free.length === 2 && first !== undefined && second !== undefined;
  const answers = isPair
    ? pairAnswers(question, [first, second], say)
    : free.map((each): Answer => {
        say(quantities[each].title);
        return { recommended: recommendation(question, each) };
      });
  return answers.map((answer) => (verify ? withFigures(answer) : answer));
}

/** Factors of the given load, SLO or robustness at which the other free quantity is asked for. */
const FACTORS = {
  load: [0.25, 0.5, 1, 1.5, 2, 3],
  slo: [0.5, 0.75, 1, 1.5, 2, 3],
  robustness: [1, 1.1, 1.25, 1.5, 2, 3],
};

function pairAnswers(
  question: PlanningQuestion,
  pair: readonly [FreeQuantity, FreeQuantity],
  say: (text: string) => void,
): readonly Answer[] {
  const swept = (['load', 'slo', 'robustness'] as const).find((each) => pair.includes(each));
  if (swept === undefined) return frontierAnswers(question);
  const optimized = pair.find((each) => each !== swept) as FreeQuantity;
  return FACTORS[swept].map((factor) => {
    const { problem, value } = problemAt(question.problem, swept, factor);
    say(`${quantities[optimized].title} at ${quantities[swept].text(value)}`);
    return { at: { free: swept, value }, recommended: recommendation({ ...question, problem }, optimized) };
  });
}

function problemAt(problem: PlanningProblem, free: keyof typeof FACTORS, factor: number) {
  const { spec, arrivalRps } = problem;
  if (free === 'load') return { value: arrivalRps * factor, problem: { ...problem, arrivalRps: arrivalRps * factor } };
  if (free === 'robustness')
    return { value: factor, problem: withSpec(problem, { robustness: { serviceFactor: factor } }) };
  const latencyMs = spec.slo.latencyMs * factor;
  return { value: latencyMs, problem: withSpec(problem, { slo: { ...spec.slo, latencyMs } }) };
}

const withSpec = (problem: PlanningProblem, change: Partial<PipelineSpec>): PlanningProblem => ({
  ...problem,
  spec: { ...problem.spec, ...change },
});

/** Cost and accuracy are the axes of the frontier, here without a budget. */
function frontierAnswers(question: PlanningQuestion): readonly Answer[] {
  const problem = withSpec(question.problem, { budget: {}, objective: { kind: 'max-accuracy' } });
  const front = frontier(problem, question.verifierOf?.(problem));
  if (front.kind === 'feasible') return [];
  if (front.kind !== 'frontier') return [{ recommended: { kind: 'none', free: 'accuracy', result: front } }];
  return front.points.map(({ pas, costPerHour, plan }) => ({
    at: { free: 'cost', value: costPerHour },
    recommended: { kind: 'found', free: 'accuracy', value: pas, plan, problem },
  }));
}

const SEEDS = [1, 2, 3, 4, 5];
const REQUESTS = 2000;

/** Simulates the plan with the service times as profiled. */
function withFigures(answer: Answer): Answer {
  const { recommended } = answer;
  if (recommended.kind === 'none') return answer;
  const { plan, problem } = recommended;
  const { arrivalRps, profiles } = problem;
  const spec = { ...problem.spec, slo: problem.slo ?? problem.spec.slo };
  const load = { kind: 'poisson', arrivalRps, durationS: REQUESTS / arrivalRps } as const;
  const runs = SEEDS.map((seed) => simulatedRun({ spec, profiles, load, seed, by: { plan } }).figures);
  return { ...answer, figures: seedFigures(runs) };
}

function documentOf(
  { problem, accuracyFloor }: PlanningQuestion,
  answers: readonly Answer[],
  options: RecommendOptions,
) {
  const { slo, budget, robustness } = problem.spec;
  return {
    kind: 'recommendation',
    question: {
      ...(options.arrivalRps !== undefined && { arrivalRps: options.arrivalRps }),
      ...{ slo, budget, accuracyFloor, ...(robustness && { robustness }) },
    },
    answers: answers.map(({ recommended, at, figures }) => ({
      free: recommended.free,
      ...(at && { at }),
      ...(recommended.kind === 'found' ? foundDocument(recommended) : noneDocument(recommended)),
      ...(figures && { verdict: verdictOf({ recommended, figures }), figures }),
    })),
  };
}

function foundDocument({ kind, value, plan, problem }: Found) {
  const { arrivalRps, slo, spec } = problem;
  return {
    kind,
    value,
    arrivalRps,
    slo: slo ?? spec.slo,
    ...(spec.robustness && { robustness: spec.robustness }),
    plan,
  };
}

function noneDocument({ kind, result: { bindingConstraint, fixes } }: Extract<Recommendation, { kind: 'none' }>) {
  return { kind, bindingConstraint, fixes };
}

function recommendText(
  { problem, accuracyFloor }: PlanningQuestion,
  answers: readonly Answer[],
  options: RecommendOptions,
) {
  const { slo, budget, robustness } = problem.spec;
  const asked = [
    options.arrivalRps === undefined ? 'any load' : `${rateText(options.arrivalRps)} rps`,
    `p${slo.percentile} within ${msText(slo.latencyMs)}`,
    budget.cpuCores === undefined ? 'no core budget' : `at most ${coresText(budget.cpuCores)}`,
    ...(accuracyFloor > 0 ? [`accuracy at least ${accuracyFloor}`] : []),
    ...(robustness ? [`service times × ${robustness.serviceFactor}`] : []),
  ];
  const hasAt = answers.some(({ at }) => at !== undefined);
  const hasFigures = answers.some(({ figures }) => figures !== undefined);
  const head = [
    ...(hasAt ? [{ right: 'at' }] : ['free']),
    ...['best', 'accuracy', 'cost per hour', 'cores'].map((right) => ({ right })),
    ...(hasFigures ? ['within SLO %', 'p99 ms'].map((right) => ({ right })) : []),
    'variants',
  ];
  const table = textTable(
    head,
    answers.map((answer) => rowOf(answer, hasFigures)),
  );
  const note = hasFigures
    ? `within SLO and p99: means over ${SEEDS.length} simulations of ${REQUESTS} requests, with 95 % intervals; `
    : '';
  const reading = hasAt ? 'one line per plan' : 'each line frees one quantity and keeps all other conditions';
  const lines = [pc.bold(`${problem.spec.name}: ${asked.join(', ')}`), table, pc.dim(`${note}${reading}`)];
  if (answers.some((answer) => verdictOf(answer) === 'missed')) lines.push(pc.yellow(MISSED));
  return lines.join('\n');
}

function rowOf({ recommended, at, figures }: Answer, hasFigures: boolean): readonly string[] {
  const { free } = recommended;
  const name = at === undefined ? quantities[free].title : quantities[at.free].text(at.value);
  if (recommended.kind === 'none') {
    const reason = pc.yellow(`none: ${bindingText(recommended.result.bindingConstraint)}`);
    return [name, '–', '–', '–', '–', ...(hasFigures ? ['–', '–'] : []), reason];
  }
  const { pas, costPerHour, cpuCores } = recommended.plan.predicted;
  const stacked = (estimate: Estimate | undefined, digits: number, scale = 1) =>
    estimate === undefined ? '' : estimateText(estimate, digits, scale).replace(' (', '\n(');
  const simulated = [stacked(figures?.sloAttainmentFraction, 2, 100), stacked(figures?.latencyMs.p99, 1)];
  return [
    name,
    pc.bold(quantities[free].text(recommended.value)),
    ...[pas.toFixed(3), costPerHour.toFixed(2), String(Number(cpuCores.toFixed(2)))],
    ...(hasFigures ? simulated : []),
    variantsText(recommended.plan),
  ];
}

const MISSED =
  'A plan meets its SLO if nothing is dropped. Where less is within the SLO, admission and drop rules refuse requests: `equipoise simulate` shows the reasons.';

function verdictOf({ recommended, figures }: Answer) {
  if (recommended.kind === 'none' || figures === undefined) return undefined;
  const { slo = recommended.problem.spec.slo } = recommended.problem;
  return sloVerdict(figures.sloAttainmentFraction, slo.percentile);
}

const variantsText = (plan: Plan): string => choiceText(plan).replaceAll(' ', '\n');
