/** Runs `serve` as a process over an echo stage, with given flags of the JavaScript engine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import type { TestFolder } from '../equipoise.test-support.js';

const echo = 'export const load = () => ({ run: (batch) => batch });\n';
/** Outputs 200 KB for each item. */
const enlarge = `export const load = () => ({
  run: (batch) => batch.map(() => ({ x: { datatype: 'FP32', shape: [50_000], data: new Float32Array(50_000) } })),
});
`;
const split = `export const load = () => ({
  run: (batch) => batch.map(({ x }) => ({ x: { datatype: 'FP32', shape: [4, 12_500], data: x.data.slice() } })),
});
`;
const shorten = `export const load = () => ({
  run: (batch) => batch.map(({ x }) => ({ x: { datatype: 'FP32', shape: [1], data: x.data.slice(0, 1) } })),
});
`;
const profile = [1, 4].map((batchSize) => ({ cpuCores: 0.25, batchSize, meanMs: 0.2 }));
const edgeTo: Readonly<Record<string, object>> = {
  shorten: { fanOut: { expected: 4 } },
  echo: { join: 'all' },
};
const pipelineOf = (names: readonly string[], isolation: string) => ({
  apiVersion: 'equipoise.dev/v1alpha1',
  kind: 'InferencePipeline',
  metadata: { name: 'echo' },
  spec: {
    slo: { latencyMs: 5000 },
    control: { mode: 'off' },
    stages: names.map((name) => ({
      name,
      kind: 'transform',
      isolation,
      module: `./${name}.mjs`,
      variants: [{ name: 'only', resources: { cpuCores: 0.25 }, profile }],
    })),
    edges: names.slice(1).map((to, index) => ({ from: names[index], to, ...edgeTo[to] })),
  },
});

/**
 * The server is `command` with `args` before the arguments of `serve`. `isolation` is a setting of its stages: one that echoes.
 * If it `enlarges`, there are three before it: one makes 200 KB, one cuts them into four items, and one shortens the items.
 */
export interface EchoServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly isolation: string;
  readonly enlarges?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the server during `use`, which gets clients of both protocols; returns its stdout. */
export async function withEchoServer(
  folder: TestFolder,
  { command, args, isolation, enlarges = false, environment = {} }: EchoServerOptions,
  use: (clients: Readonly<Record<'REST' | 'gRPC', ReturnType<typeof openInferenceClient>>>) => Promise<void>,
): Promise<string> {
  for (const [name, module] of Object.entries({ echo, enlarge, split, shorten })) folder.write(`${name}.mjs`, module);
  const names = enlarges ? ['enlarge', 'split', 'shorten', 'echo'] : ['echo'];
  folder.write('pipeline.yaml', JSON.stringify(pipelineOf(names, isolation)));
  const server = ['serve', 'pipeline.yaml', '--port', '0', '--grpc-port', '0', '--no-admin-port', '--arrival-rps', '5'];
  const child = spawn(command, [...args, ...server], {
    cwd: folder.path,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  try {
    const [, grpc, rest = ''] = await said(child, /gRPC on (\S+):[\s\S]*ready (http\S+)/);
    const clients = { REST: openInferenceClient(rest), gRPC: openInferenceClient(`grpc://${grpc}`) };
    try {
      await use(clients);
    } finally {
      for (const client of Object.values(clients)) client.close();
    }
  } finally {
    child.kill('SIGTERM');
    await closed;
  }
  return printed;
}

async function said({ stderr }: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  for await (const chunk of stderr ?? []) {
    text += String(chunk);
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  throw new Error(`The server did not say ${String(pattern)}:\n${text}`);
}
