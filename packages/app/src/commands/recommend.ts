/** `equipoise recommend`: the best value of one or two free quantities, while all other conditions are fixed. */
import { availableParallelism } from 'node:os';
import { AppError, bindingText, type Certificate, type PipelineSpec, type Plan } from '@equipoise/core/model';
import type { FreeQuantity, Recommendation } from '@equipoise/core/plan';
import pc from 'picocolors';
import { withCellProgress } from '../experiment/cell-progress.js';
import { runCells } from '../experiment/run-cells.js';
import { type Answer, REQUESTS, type RecommendTask, SEEDS, type TaskAnswers } from '../recommend/recommend-task.js';
import { newRecommendThread } from '../recommend/recommend-threads.js';
import { outputFile } from '../report/output-file.js';
import { type Estimate, estimateText, sloVerdict } from '../sweep/sweep-figures.js';
import { counted } from '../terminal/counted.js';
import { choiceText, coresText, msText, rateText } from '../terminal/plan-table.js';
import { fixesText } from '../terminal/plan-text.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
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
  /** Number of questions to answer in parallel. */
  readonly threads?: number;
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

/** Exits with 1 if no question has a plan. */
export async function recommend(file: string, options: RecommendOptions): Promise<CommandResult> {
  checkFlags(options);
  const out = options.out === undefined ? undefined : await outputFile(options.out);
  const { problem, accuracyFloor } = await questionOf(file, options);
  const question = { spec: problem.spec, accuracyFloor };
  const answers = await answered(tasksOf({ problem, accuracyFloor }, options), options);
  const json = documentOf(question, answers, options);
  await out?.write(json);
  const isNo = answers.every(({ recommended }) => recommended.kind === 'none');
  return { json, text: recommendText(question, answers, options), answerIsNo: isNo };
}

function checkFlags({ free = [], arrivalRps }: RecommendOptions): void {
  const wrong = (message: string) => new AppError('WRONG_USAGE', message);
  if (free.length > 2) throw wrong(`--free: expected one or two of ${ALL.join(', ')}, found ${free.length}.`);
  if (new Set(free).size < free.length) throw wrong('--free: expected two different quantities.');
  if (arrivalRps === undefined && (free.length !== 1 || free[0] !== 'load'))
    throw wrong('Name the load: --arrival-rps N. Only --free load does without.');
}

interface Question {
  readonly spec: PipelineSpec;
  /** Minimum accuracy of all plans; 0 for none. */
  readonly accuracyFloor: number;
}

async function questionOf(file: string, options: RecommendOptions) {
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
  const { clock: _, ...plain } = problem;
  return { problem: plain, accuracyFloor: objective.kind === 'min-cost' ? objective.accuracyFloor : 0 };
}

type AskedTask = Pick<RecommendTask, 'problem' | 'accuracyFloor'>;

function tasksOf(asked: AskedTask, { free = ALL, verify }: RecommendOptions): readonly RecommendTask[] {
  const [first, second] = free;
  const isPair = free.length === 2 && first !== undefined && second !== undefined;
  if (isPair) return pairTasks({ ...asked, verify }, [first, second]);
  return free.map((each) => ({ ...asked, verify, free: each }));
}

/** Factors of the given load, SLO or robustness at which the other free quantity is asked for. */
const FACTORS = {
  load: [0.25, 0.5, 1, 1.5, 2, 3],
  slo: [0.5, 0.75, 1, 1.5, 2, 3],
  robustness: [1, 1.1, 1.25, 1.5, 2, 3],
};

function pairTasks(
  asked: Omit<RecommendTask, 'free'>,
  pair: readonly [FreeQuantity, FreeQuantity],
): readonly RecommendTask[] {
  const fixed = (['load', 'slo', 'robustness'] as const).find((each) => pair.includes(each));
  if (fixed === undefined) return [{ ...asked, free: 'trade-off' }];
  const free = pair.find((each) => each !== fixed) as FreeQuantity;
  return FACTORS[fixed].map((factor) => {
    const { problem, value } = problemAt(asked.problem, fixed, factor);
    return { ...asked, free, at: { free: fixed, value }, problem };
  });
}

type PlainProblem = RecommendTask['problem'];

function problemAt(problem: PlainProblem, free: keyof typeof FACTORS, factor: number) {
  const { spec, arrivalRps } = problem;
  if (free === 'load') return { value: arrivalRps * factor, problem: { ...problem, arrivalRps: arrivalRps * factor } };
  if (free === 'robustness')
    return { value: factor, problem: withSpec(problem, { robustness: { serviceFactor: factor } }) };
  const latencyMs = spec.slo.latencyMs * factor;
  return { value: latencyMs, problem: withSpec(problem, { slo: { ...spec.slo, latencyMs } }) };
}

const withSpec = (problem: PlainProblem, change: Partial<PipelineSpec>): PlainProblem => ({
  ...problem,
  spec: { ...problem.spec, ...change },
});

/** Answers in the order of the tasks. */
async function answered(
  tasks: readonly RecommendTask[],
  { threads = availableParallelism() }: RecommendOptions,
): Promise<readonly Answer[]> {
  const answers = new Map<RecommendTask, readonly Answer[]>();
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  const count = { title: 'recommend', waiting: tasks.length, found: 0, unit: 'question' };
  await withCellProgress(count, (tell) =>
    runCells<RecommendTask, TaskAnswers>(tasks, {
      threads,
      stop: stop.signal,
      afterStop: 'Nothing is saved.',
      newThread: newRecommendThread,
      nameOf: (task) => ({ text: taskText(task), details: { free: task.free, ...(task.at && { at: task.at }) } }),
      onCell: (task, outcome) => {
        answers.set(task, outcome.answers);
        tell(taskText(task));
      },
    }),
  );
  return tasks.flatMap((task) => answers.get(task) ?? []);
}

function taskText({ free, at }: RecommendTask): string {
  const title = free === 'trade-off' ? 'accuracy and cost' : quantities[free].title;
  return at === undefined ? title : `${title} at ${quantities[at.free].text(at.value)}`;
}

function documentOf({ spec, accuracyFloor }: Question, answers: readonly Answer[], options: RecommendOptions) {
  const { slo, budget, robustness } = spec;
  return {
    kind: 'recommendation',
    question: {
      ...(options.arrivalRps !== undefined && { arrivalRps: options.arrivalRps }),
      ...{ slo, budget, accuracyFloor, ...(robustness && { robustness }) },
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

function recommendText({ spec, accuracyFloor }: Question, answers: readonly Answer[], options: RecommendOptions) {
  const { slo, budget, robustness } = spec;
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
  const lines = [pc.bold(`${spec.name}: ${asked.join(', ')}`), table, pc.dim(`${note}${reading}`)];
  if (answers.some((answer) => verdictOf(answer) === 'missed')) lines.push(pc.yellow(MISSED));
  return [...lines, ...proofTexts(answers)].join('\n');
}

/** Sentences on what is not proven. */
function proofTexts(answers: readonly Answer[]): readonly string[] {
  const isOpen = answers.some(
    ({ recommended }) => recommended.kind === 'none' && recommended.result.kind === 'not-found',
  );
  const { complete = true, omittedPoints = 0 } = answers[0]?.frontier ?? {};
  return [
    ...(isOpen ? ['"not found" does not prove that there is no plan'] : []),
    ...(complete ? [] : ['the frontier may lack points: not every plan was judged']),
    ...(omittedPoints > 0 ? [`${counted(omittedPoints, 'point')} of the frontier omitted`] : []),
  ].map((text) => pc.dim(text));
}

function rowOf({ recommended, at, figures }: Answer, hasFigures: boolean): readonly string[] {
  const { free } = recommended;
  const name = at === undefined ? quantities[free].title : quantities[at.free].text(at.value);
  if (recommended.kind === 'none') {
    const { result } = recommended;
    const needs = fixesText(result).map((fix) => `\nneeds ${fix}`);
    const found = result.kind === 'infeasible' ? 'none' : 'not found';
    const reason = pc.yellow(`${found}: ${bindingText(result.bindingConstraint)}${needs.slice(0, 1).join('')}`);
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
