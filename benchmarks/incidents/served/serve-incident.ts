/**
 * Process of a served incident: the pipeline of `equipoise serve` behind its HTTP port, with faulty replicas. The parent
 * sends the load and asks why.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstPlan } from '@equipoise/core/control';
import type { DiagnosisInput, IncidentCard } from '@equipoise/core/diagnose';
import { type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { type AskedWindow, PipelineDiagnosis, startServer } from '@equipoise/runtime';
import { firstSeconds, policyRules } from '../../../packages/app/src/compose/simulated-run.js';
import { startPipeline } from '../../../packages/app/src/compose/start-pipeline.js';
import type { Incident } from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';
import { faultyReplicas } from './faulty-replicas.js';

export type ToIncident =
  | { readonly kind: 'serve'; readonly incident: Incident; readonly spec: PipelineSpec }
  | { readonly kind: 'begin' }
  | { readonly kind: 'why'; readonly fromEpochMs: number; readonly toEpochMs: number };

export type FromIncident =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'card'; readonly card: IncidentCard; readonly tookMs: number; readonly input: DiagnosisInput };

const SAMPLE_S = 60;
/** Synthetic replicas need no cores of the machine. */
const HOST_CORES = 64;
const tell = (news: FromIncident) => process.send?.(news);

async function serve(incident: Incident, given: PipelineSpec) {
  const baseDir = mkdtempSync(join(tmpdir(), 'incident-'));
  const { injections, load, planForRps, seed, mode = 'auto' } = incident;
  const spec: PipelineSpec = { ...given, baseDir };
  let beganAtMs = Number.POSITIVE_INFINITY;
  const nowS = () => (performance.now() - beganAtMs) / 1000;
  const planned =
    planForRps === undefined ? load : ({ kind: 'poisson', arrivalRps: planForRps, durationS: SAMPLE_S } as const);
  const sample = firstSeconds(planned, seed);
  const arrivalRps = sample.reduce((sum, count) => sum + count, 0) / sample.length;
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], policy: 'equipoise', arrivalRps, mode, fixed: false, resume: false },
    beginsWith: firstPlan(policyRules({ spec, profiles: [], seed }, 'equipoise'), planned, seed),
    replicas: faultyReplicas({ spec, injections, rng: new SeededRng(seed), nowS }),
    report: () => {},
  });
  const server = await startServer({ runners: [pipeline.runner], version: '0', host: '127.0.0.1', port: 0 });
  const budget = injections.find((each) => each.kind === 'budget');
  return {
    url: `${server.url}/v1/pipelines/${spec.name}/run`,
    begin: () => {
      beganAtMs = performance.now();
      if (budget === undefined) return;
      const cut = { ...spec, budget: { ...spec.budget, cpuCores: budget.cpuCores } };
      setTimeout(() => void pipeline.reload(cut), 1000 * (budget.fromS ?? 0));
    },
    why: (window: AskedWindow) => pipeline.diagnosis.why(window),
    /** Question to the diagnosis, kept to ask it again. */
    inputOf: (window: AskedWindow) =>
      new Promise<DiagnosisInput>((resolve) => {
        const asking = new PipelineDiagnosis({
          recorder: pipeline.history,
          decisions: (page) => pipeline.control.decisionSummaries(page),
          ask: async (question) => {
            resolve({ ...question, spec: pipeline.spec, profiles: [], hostCores: HOST_CORES });
            return { verdict: 'no-data', fromEpochMs: 0, toEpochMs: 0, text: 'only asked' };
          },
          epochNowMs: Date.now,
        });
        void asking.why(window);
      }),
    close: async () => {
      await server.close();
      await pipeline.close();
      rmSync(baseDir, { recursive: true, force: true });
    },
  };
}

let serving: ReturnType<typeof serve> | undefined;

async function take(message: ToIncident): Promise<void> {
  if (message.kind === 'serve') {
    serving = serve(message.incident, message.spec);
    tell({ kind: 'ready', url: (await serving).url });
    return;
  }
  const { begin, why, inputOf, close } = await (serving as ReturnType<typeof serve>);
  if (message.kind === 'begin') return begin();
  const startedAtMs = performance.now();
  const card = await why(message);
  const tookMs = performance.now() - startedAtMs;
  tell({ kind: 'card', card, tookMs, input: await inputOf(message) });
  await close();
  if (process.connected) process.disconnect();
}

process.on('message', (message: ToIncident) => void take(message));
