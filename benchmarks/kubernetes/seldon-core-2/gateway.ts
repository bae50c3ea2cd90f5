/**
 * Data plane of Seldon Core 2, as a double: a request names a Pipeline by the header `seldon-model` (`NAME.pipeline`), an
 * active Experiment splits the requests of its default by weights, and each replica is chosen by fewest requests, as in
 * `scheduler/pkg/envoy/resources/resource.go` of SeldonIO/seldon-core (0103393: weighted clusters, LEAST_REQUEST, 60 s).
 * `/metrics` has the series of `scheduler/pkg/metrics/{gateway,agent}.go` (v2.10) with its buckets. There is no Kafka.
 */
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Rng } from '@equipoise/core/model';
import { type PipelineSpec, type Tensor, walkPipeline } from './walk.js';

/** State that the controllers have applied. */
export interface Routes {
  readonly pipelines: ReadonlyMap<string, PipelineSpec>;
  /** Candidates by the default of an Experiment. */
  readonly splits: ReadonlyMap<string, readonly { readonly name: string; readonly weight: number }[]>;
  /** Base addresses of the replicas of a Model, for example `http://10.0.0.1:8080/v2/models/NAME`. */
  readonly replicas: ReadonlyMap<string, readonly string[]>;
  /** Ports with MLServer's metrics, for discovery by HTTP. */
  readonly targets: readonly {
    readonly targets: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const TIMEOUT_MS = 60_000;
const MOST_BODY_BYTES = 4 * 1024 * 1024;

export class SeldonGateway {
  routes: Routes = { pipelines: new Map(), splits: new Map(), replicas: new Map(), targets: [] };
  readonly #rng: Rng;
  /** MLServer closes connections that are idle for 5 s. */
  readonly #agent = new Agent({ keepAlive: true, timeout: 3_000 });
  readonly #server: Server;
  readonly #running = new Map<string, number>();
  readonly #pipelines = new Map<string, { readonly counts: number[]; sumS: number; total: number }>();
  readonly #models = new Map<string, { requests: number; seconds: number }>();

  constructor(rng: Rng) {
    this.#rng = rng;
    this.#server = createServer((incoming, answer) => void this.#answer(incoming, answer));
    this.#server.keepAliveTimeout = 24 * 3_600_000;
  }

  /** Listens on loopback; returns the base address. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (incoming.url === '/metrics') {
      answer.end(this.#page());
      return;
    }
    if (incoming.url === '/targets') {
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(this.routes.targets));
      return;
    }
    const beganMs = performance.now();
    const name = this.#chosen(String(incoming.headers['seldon-model'] ?? ''));
    const spec = this.routes.pipelines.get(name);
    if (spec === undefined) {
      answer.writeHead(404).end();
      return;
    }
    let code = 200;
    let body: string;
    try {
      const { inputs } = JSON.parse(await textOf(incoming)) as { readonly inputs: readonly Tensor[] };
      const outputs = await walkPipeline({ name, spec }, inputs, (model, tensors) => this.#infer(model, tensors));
      body = JSON.stringify({ model_name: '', outputs });
    } catch (error) {
      code = 500;
      body = JSON.stringify({ error: String(error) });
    }
    this.#count(name, code, (performance.now() - beganMs) / 1000);
    answer.writeHead(code, { 'content-type': 'application/json' }).end(body);
  }

  /** Pipeline of a request, after the split of an Experiment. */
  #chosen(header: string): string {
    const name = header.replace(/\.pipeline$/, '');
    const candidates = this.routes.splits.get(name) ?? [];
    let left = this.#rng.next() * candidates.reduce((sum, { weight }) => sum + weight, 0);
    for (const candidate of candidates) {
      left -= candidate.weight;
      if (left < 0) return candidate.name;
    }
    return name;
  }

  async #infer(model: string, inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    const replicas = this.routes.replicas.get(model) ?? [];
    const load = (replica: string): number => this.#running.get(replica) ?? 0;
    const offset = Math.floor(this.#rng.next() * replicas.length);
    const turned = [...replicas.slice(offset), ...replicas.slice(0, offset)];
    const [replica] = turned.toSorted((a, b) => load(a) - load(b));
    if (replica === undefined) throw new Error(`the Model ${model} has no replica`);
    this.#running.set(replica, load(replica) + 1);
    const beganMs = performance.now();
    try {
      const { outputs } = await this.#post(`${replica}/infer`, JSON.stringify({ inputs }));
      return outputs;
    } finally {
      this.#running.set(replica, load(replica) - 1);
      const totals = this.#models.get(model) ?? { requests: 0, seconds: 0 };
      this.#models.set(model, {
        requests: totals.requests + 1,
        seconds: totals.seconds + (performance.now() - beganMs) / 1000,
      });
    }
  }

  #post(url: string, body: string): Promise<{ readonly outputs: readonly Tensor[] }> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(url, { method: 'POST', agent: this.#agent, headers, timeout: TIMEOUT_MS }, (response) => {
        textOf(response).then((text) => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as { outputs: readonly Tensor[] });
          else reject(new Error(`${url} answered ${response.statusCode} ${text.slice(0, 200)}`));
        }, reject);
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer of ${url} within ${TIMEOUT_MS} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  #count(pipeline: string, code: number, seconds: number): void {
    const key = `pipeline="${pipeline}",method="rest",code="${code}"`;
    const found = this.#pipelines.get(key) ?? { counts: BOUNDS_S.map(() => 0), sumS: 0, total: 0 };
    this.#pipelines.set(key, found);
    for (const [index, bound] of BOUNDS_S.entries()) {
      if (seconds <= bound) found.counts[index] = (found.counts[index] ?? 0) + 1;
    }
    found.sumS += seconds;
    found.total += 1;
  }

  #page(): string {
    const histogram = 'seldon_pipeline_infer_api_seconds';
    const lines = [...this.#pipelines].flatMap(([labels, { counts, sumS, total }]) => [
      ...counts.map((count, index) => `${histogram}_bucket{${labels},le="${BOUNDS_S[index]}"} ${count}`),
      `${histogram}_bucket{${labels},le="+Inf"} ${total}`,
      `${histogram}_sum{${labels}} ${sumS}`,
      `${histogram}_count{${labels}} ${total}`,
      `seldon_pipeline_infer_total{${labels}} ${total}`,
      `seldon_pipeline_infer_seconds_total{${labels}} ${sumS}`,
    ]);
    const models = [...this.#models].flatMap(([model, { requests, seconds }]) => [
      `seldon_model_infer_total{model="${model}",code="200"} ${requests}`,
      `seldon_model_infer_seconds_total{model="${model}",code="200"} ${seconds}`,
    ]);
    return `${[...lines, ...models].join('\n')}\n`;
  }
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) throw new Error(`more than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
