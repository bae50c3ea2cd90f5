import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, type PipelineSpec, type ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import type { RatePoint } from '@equipoise/core/simulate';
import { startServer } from '@equipoise/runtime';
import { startPipeline } from '../compose/start-pipeline.js';
import type { RunRecord } from '../report/run/run-record.js';
import { VERSION } from '../version.js';
import { type CpuTimes, cpuTimes } from './cpu-meter.js';
import type { PlanInForce, SecondRow } from './demo-record.js';
import { DemoRecorder } from './demo-recorder.js';
import type { LiveState } from './live-view.js';
import type { LoadAnswer, LoadTask } from './load-process.js';

export interface DemoRunOptions {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly points: readonly RatePoint[];
  readonly policy: PolicyName;
  readonly onFrame: (state: LiveState) => void;
  readonly onTrouble: (text: string) => void;
}

export interface DemoRun {
  readonly seconds: readonly SecondRow[];
  readonly plans: readonly PlanInForce[];
  readonly record: RunRecord;
  readonly load: LoadAnswer;
  readonly cpu: { readonly before: CpuTimes; readonly after: CpuTimes };
}

const FRAME_MS = 500;

export async function runDemo(options: DemoRunOptions): Promise<DemoRun> {
  const recorder = new DemoRecorder(options);
  const { spec, profiles, points, policy } = options;
  const arrivalRps =
    policy === 'equipoise' ? (points[0]?.arrivalRps ?? 1) : Math.max(...points.map((point) => point.arrivalRps));
  const fixed = policy !== 'equipoise';
  const pipeline = await startPipeline({
    spec,
    profiles,
    arrivalRps,
    policy,
    fixed,
    resume: false,
    stateFile: 'demo-state.db',
    report: (event) => recorder.note(event),
  });
  recorder.begin(pipeline);
  try {
    const server = await startServer({ runners: [pipeline.runner], version: VERSION, host: '127.0.0.1', port: 0 });
    const before = cpuTimes();
    const frames = setInterval(() => options.onFrame(recorder.state()), FRAME_MS);
    try {
      const load = await generateLoad(loadTask(spec, server.url, points));
      const after = cpuTimes();
      const record = await recorder.record();
      return { seconds: recorder.rows(), plans: recorder.plans, record, load, cpu: { before, after } };
    } finally {
      clearInterval(frames);
      await server.close();
    }
  } finally {
    await pipeline.close();
  }
}

function loadTask(spec: PipelineSpec, serverUrl: string, points: readonly RatePoint[]): LoadTask {
  const [source] = spec.sources;
  const folder = resolve(spec.baseDir, source?.samplesPath ?? '.');
  const files = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
  const contentType = source?.tensors[0]?.contentTypes[0] ?? 'application/octet-stream';
  return {
    url: `${serverUrl}/v1/pipelines/${spec.name}/run`,
    points,
    files,
    contentType,
    seed: 1,
    sloLatencyMs: spec.slo.latencyMs,
  };
}

function generateLoad(task: LoadTask): Promise<LoadAnswer> {
  return new Promise((resolvePromise, reject) => {
    const child = fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    let answer: LoadAnswer | undefined;
    child.on('message', (message) => {
      answer = message as LoadAnswer;
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (answer !== undefined) resolvePromise(answer);
      else reject(new AppError('UNREACHABLE', `The load generator ended with exit code ${code} before its load did.`));
    });
    child.send(task);
  });
}
