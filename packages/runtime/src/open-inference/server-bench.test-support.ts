/** A server over one scripted stage, and clients that send anything. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { type Datatype, type PipelineSpec, type SourceTensor, stageId } from '@equipoise/core/model';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { type ItemScript, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { type RunningServer, type ServerOptions, startServer } from './start-server.js';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers has no type yet
  readonly body: any;
}

export interface Send {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const running: RunningServer[] = [];

/** Lets `endServers` close a server, too. */
export function endsLater(server: RunningServer): void {
  running.push(server);
}

/** Closes everything started. */
export async function endServers(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.close({ timeoutMs: 100 })));
}

export const image: SourceTensor = {
  name: 'image',
  datatype: 'UINT8',
  shape: [-1],
  contentTypes: ['image/png', 'image/jpeg'],
};
export const tensorOf = (datatype: Datatype, shape: readonly number[], name = 'x'): SourceTensor => ({
  name,
  datatype,
  shape,
  contentTypes: [],
});

export function specFor(tensors: readonly SourceTensor[], more: Partial<PipelineSpec> = {}): PipelineSpec {
  return servingSpec(['a'], { sources: [{ name: 'input', to: [stageId('a')], tensors }], ...more });
}

/** A server with one pipeline `bench` of a single stage, whose replica answers at once or after `wait`. */
export async function start(
  spec: PipelineSpec,
  script: ItemScript = (item) => item,
  more: Partial<ServerOptions> & { wait?: () => Promise<void>; replicas?: number } = {},
) {
  const { wait = async () => {}, replicas = 1, ...options } = more;
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
  for (let i = 0; i < replicas; i++) {
    serve(runner, 'a', Object.assign(new ScriptedRunner(script, wait), { keepsTensors: true }));
  }
  const server = await startServer({ runners: [runner], version: '9.9.9', port: 0, ...options });
  endsLater(server);
  const send = (path: string, { method, headers = {}, body }: Send = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const sent = httpRequest(
        `${server.url}${path}`,
        { method: method ?? (body === undefined ? 'GET' : 'POST'), headers },
        async (reply) => {
          let text = '';
          for await (const chunk of reply) text += chunk;
          const value = text.startsWith('{') ? JSON.parse(text) : text;
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: value });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  const json = (path: string, value: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send(path, { body: JSON.stringify(value), headers: { 'content-type': 'application/json', ...headers } });
  return { runner, server, send, json };
}

export const INFER = '/v2/models/bench/infer';
export const RUN = '/v1/pipelines/bench/run';
export const x = (datatype: Datatype, shape: readonly number[], data: unknown) => ({
  inputs: [{ name: 'x', datatype, shape, data }],
});

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Writes raw bytes and reads until the server closes or a JSON answer is complete. */
export async function overRawSocket(server: RunningServer, parts: readonly string[]): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (/\r\n\r\n\{.*\}$/s.test(text)) socket.end();
  });
  for (const part of parts) socket.write(part, 'latin1');
  await once(socket, 'close');
  return text;
}
