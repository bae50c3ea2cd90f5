/** `equipoise recommend`: the best value of one or two free quantities, while all other conditions are fixed. */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError, bindingText, type PipelineSpec, type Plan } from '@equipoise/core/model';
import type { FreeQuantity } from '@equipoise/core/plan';
import pc from 'picocolors';
import { withCellProgress } from '../cells/cell-progress.js';
import { codeDigest } from '../cells/code-digest.js';
import { figuresCsv } from '../cells/figures-csv.js';
import { KeptOutcomes } from '../cells/kept-outcomes.js';
import { ownThread } from '../cells/own-thread.js';
import { runCells } from '../cells/run-cells.js';
import { type Estimate, estimateText } from '../cells/seed-figures.js';
import { writeFiles } from '../cells/write-whole.js';
import { quantities } from '../recommend/quantities.js';
import { type Answer, REQUESTS, type RecommendTask, SEEDS, type TaskAnswers } from '../recommend/recommend-task.js';
import { answerRows, type Question, recommendationDocument, verdictOf } from '../recommend/recommendation.js';
import { outputFile } from '../report/output-file.js';
import { htmlPage } from '../report/page/html-page.js';
import { recommendPage } from '../report/recommend-page.js';
import { counted } from '../terminal/counted.js';
import { choiceText, coresText, msText, rateText } from '../terminal/plan-table.js';
import { needsLines } from '../terminal/plan-text.js';
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
  /** Folder of results, from which the same command continues. */
  readonly results?: string;
  /** Number of questions to answer in parallel. */
  readonly threads?: number;
}

const ALL = Object.keys(quantities) as readonly FreeQuantity[];

/** Exits with 1 if no question has a plan. */
export async function recommend(file: string, options: RecommendOptions): Promise<CommandResult> {
  checkFlags(options);
  const out = options.out === undefined ? undefined : await outputFile(options.out);
  const { problem, accuracyFloor } = await questionOf(file, options);
  const question = { spec: problem.spec, accuracyFloor, arrivalRps: options.arrivalRps };
  const answers = await answered(tasksOf({ problem, accuracyFloor }, options), options);
  const json = recommendationDocument(question, answers);
  await out?.write(json);
  const files = options.results === undefined ? [] : writeResults(resolve(options.results), question, answers);
  const isNo = answers.every(({ recommended }) => recommended.kind === 'none');
  return {
    json,
    text: [recommendText(question, answers), ...files.map((path) => pc.dim(path))].join('\n'),
    answerIsNo: isNo,
  };
}

function checkFlags({ free = [], arrivalRps }: RecommendOptions): void {
  const wrong = (message: string) => new AppError('WRONG_USAGE', message);
  if (free.length > 2) throw wrong(`--free: expected one or two of ${ALL.join(', ')}, found ${free.length}.`);
  if (new Set(free).size < free.length) throw wrong('--free: expected two different quantities.');
  if (arrivalRps === undefined && (free.length !== 1 || free[0] !== 'load'))
    throw wrong('Name the load: --arrival-rps N. Only --free load does without.');
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
  { threads = availableParallelism(), results }: RecommendOptions,
): Promise<readonly Answer[]> {
  const answers = new Map<RecommendTask, readonly Answer[]>();
  const kept = results === undefined ? undefined : keptAnswers(tasks, resolve(results));
  for (const task of tasks) {
    const found = kept?.find(task);
    if (found !== undefined) answers.set(task, found.answers);
  }
  const waiting = tasks.filter((task) => !answers.has(task));
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  const count = { title: 'recommend', waiting: waiting.length, found: answers.size, unit: 'question' };
  await withCellProgress(count, (tell) =>
    runCells<RecommendTask, TaskAnswers>(waiting, {
      threads,
      stop: stop.signal,
      afterStop:
        kept === undefined
          ? 'Nothing is saved. With --results FOLDER, answered questions are.'
          : 'Answered questions are saved; the same command continues from there.',
      newThread: () => ownThread('recommend'),
      nameOf: (task) => ({ text: taskText(task), details: { free: task.free, ...(task.at && { at: task.at }) } }),
      onCell: (task, outcome) => {
        kept?.keep(task, outcome);
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

/** Answers of earlier runs, by the content of their questions. */
function keptAnswers(tasks: readonly RecommendTask[], folder: string) {
  const code = codeDigest();
  const digestOf = (task: RecommendTask): string =>
    createHash('sha256').update(code).update(JSON.stringify(task)).digest('hex').slice(0, 32);
  const digests = new Set(tasks.map(digestOf));
  const kept = new KeptOutcomes<TaskAnswers>(join(folder, 'answers.jsonl'), digests, '--results');
  return {
    find: (task: RecommendTask) => kept.find(digestOf(task)),
    keep: (task: RecommendTask, outcome: TaskAnswers) => kept.keep(digestOf(task), outcome),
  };
}

/** Paths of the files, which are the same for the same question. */
function writeResults(folder: string, question: Question, answers: readonly Answer[]): readonly string[] {
  const page = { pipeline: question.spec.name, asked: askedText(question), answers, notes: proofTexts(answers) };
  return writeFiles(folder, {
    'answers.csv': figuresCsv(answerRows(answers)),
    'answers.json': `${JSON.stringify(recommendationDocument(question, answers), null, 1)}\n`,
    'report.html': htmlPage(recommendPage(page)),
  });
}

function askedText({ spec, accuracyFloor, arrivalRps }: Question): string {
  const { slo, budget, robustness, routers = 1 } = spec;
  return [
    arrivalRps === undefined ? 'any load' : `${rateText(arrivalRps)} rps`,
    `p${slo.percentile} within ${msText(slo.latencyMs)}`,
    budget.cpuCores === undefined ? 'no core budget' : `at most ${coresText(budget.cpuCores)}`,
    ...(accuracyFloor > 0 ? [`accuracy at least ${accuracyFloor}`] : []),
    ...(robustness ? [`service times × ${robustness.serviceFactor}`] : []),
    ...(routers === 1 ? [] : [routers === 'auto' ? 'as many routers as needed' : `${routers} routers`]),
  ].join(', ');
}

function recommendText(question: Question, answers: readonly Answer[]): string {
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
  const lines = [pc.bold(`${question.spec.name}: ${askedText(question)}`), table, pc.dim(`${note}${reading}`)];
  if (answers.some((answer) => verdictOf(answer) === 'missed')) lines.push(pc.yellow(MISSED));
  return [...lines, ...proofTexts(answers).map((text) => pc.dim(text))].join('\n');
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
  ];
}

function rowOf({ recommended, at, figures }: Answer, hasFigures: boolean): readonly string[] {
  const { free } = recommended;
  const name = at === undefined ? quantities[free].title : quantities[at.free].text(at.value);
  if (recommended.kind === 'none') {
    const { result } = recommended;
    const found = result.kind === 'infeasible' ? 'none' : 'not found';
    const why = [`${found}: ${bindingText(result.bindingConstraint)}`, ...needsLines(result)];
    const reason = pc.yellow(why.join('\n'));
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

const variantsText = (plan: Plan): string => choiceText(plan).replaceAll(' ', '\n');
