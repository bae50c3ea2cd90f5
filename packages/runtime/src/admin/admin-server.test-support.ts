/** An admin port over a fake pipeline, and a client. */
import { type IncomingMessage, request } from 'node:http';
import type { IncidentCard } from '@equipoise/core/diagnose';
import { HistoryRecorder } from '@equipoise/core/history';
import { LatencyHistogram } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { ControlBench, controlledSpec } from '../loop/pipeline-control.test-support.js';
import { type DiagnosisQuestion, PipelineDiagnosis } from '../loop/pipeline-diagnosis.js';
import type { RequestTracer } from '../trace/request-tracer.js';
import type { AdminPipeline } from './admin-endpoints.js';
import { EventFeed } from './event-feed.js';
import { type AdminServerOptions, type RunningAdminServer, startAdminServer } from './start-admin-server.js';

export interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: never;
}

export class AdminBench {
  readonly played = new ControlBench();
  readonly feed = new EventFeed(() => 1000);
  ready = true;
  readonly cleared: string[] = [];
  sampled = { arrived: 0, stages: [{ arrived: 0, dropped: 0, queueLength: 3 }], edges: [] };
  readonly history = new HistoryRecorder({
    spec: controlledSpec,
    sloLatencyMs: () => 300,
    budgetCores: () => 6,
    curves: requireCurves(controlledSpec, []),
    startedAtMs: 0,
    epochMsOf: (atMs) => 1_000_000 + atMs,
    sample: () => ({ ...this.sampled, runningPlan: this.played.actuator.runningPlan() }),
  });
  tracer: Pick<RequestTracer, 'newest' | 'slowest'> | undefined;
  readonly diagnosis = new PipelineDiagnosis({
    recorder: this.history,
    decisions: async () => [],
    ask: async (question) => {
      this.diagnosed.push(question);
      return this.cardOf(question);
    },
    epochNowMs: () => 2_000_000,
  });
  readonly diagnosed: object[] = [];
  cardOf = ({ fromEpochMs, toEpochMs }: DiagnosisQuestion): IncidentCard => {
    return { verdict: 'no-data', text: 'a fake', fromEpochMs, toEpochMs };
  };
  server: RunningAdminServer | undefined;

  async start(over: Partial<AdminServerOptions> = {}): Promise<this> {
    this.server = await startAdminServer({
      ...{ pipelines: [this.#pipeline()], feed: this.feed, port: 0, version: '1' },
      ...over,
    });
    return this;
  }

  async close(): Promise<void> {
    await this.server?.close();
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Got> {
    return this.send({ method: 'GET', path, headers });
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Got> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.send({ method: 'POST', path, headers: { ...type, ...headers }, ...(text !== undefined && { text }) });
  }

  send(sent: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly text?: string;
  }): Promise<Got> {
    const { method, path, headers = {}, text } = sent;
    return new Promise((resolve, reject) => {
      const asked = request(`${this.server?.url}${path}`, { method, headers, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part;
        });
        response.on('end', () => {
          const isJson = response.headers['content-type'] === 'application/json' && body !== '';
          const json = (isJson ? JSON.parse(body) : undefined) as never;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: body, json });
        });
      });
      asked.on('error', reject);
      asked.end(text);
    });
  }

  #pipeline(): AdminPipeline {
    const { played } = this;
    const isReady = () => this.ready;
    const total = { arrived: 12, completed: 10, withinSlo: 9, failed: 1, dropped: { 'queue-full': 1 } };
    const latencies = new LatencyHistogram();
    for (const ms of [10, 20, 90]) latencies.record(ms);
    const statistics = { total, arrivalsPerSecond: () => [0, 0, 4, 4], recentLatencies: () => latencies };
    const byVariant = { small: { offered: 4, taken: 1, fanOuts: 0, items: 0 } };
    const runner = {
      get ready() {
        return isReady();
      },
      ...{ nowMs: 0, inFlight: 2, statistics },
      stageCounts: () => ({ a: { queueLength: 3, byBatchSize: {} } }),
      edgeCounts: () => [{ ...byVariant.small, byVariant }],
      partCounts: {
        waiting: 2,
        sources: [{ joined: 6, missing: 2, unmatched: 1, late: 3, duplicate: 0, kept: 0, dropped: 0 }],
      },
      quarantinedInputs: () => [{ stageId: 'a', tenant: 'north', digest: 'ab12', leftMs: 1000 }],
      clearQuarantine: (stage: string) => this.cleared.push(stage),
      tracer: this.tracer,
    };
    return {
      spec: controlledSpec,
      runner: runner as unknown as AdminPipeline['runner'],
      actuator: played.actuator,
      control: played.control,
      history: this.history,
      diagnosis: this.diagnosis,
    };
  }
}
